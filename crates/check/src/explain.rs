//! The pages of the findings, embedded.

use tidegate_model::closest;

/// Every page by its code, in order: all files of `docs/reference/findings`.
const PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// The page of `code`, as Markdown; upper and lower case are one. `None` when there is no such code.
#[must_use]
pub fn explain(code: &str) -> Option<&'static str> {
    let page = PAGES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(code.trim()));
    page.map(|(_, text)| *text)
}

/// The known code that `code` most likely stands for; `None` when none is close.
#[must_use]
pub fn similar_code(code: &str) -> Option<&'static str> {
    let digits: String = code.chars().filter(char::is_ascii_digit).take(8).collect();
    let written = match digits.parse::<u32>() {
        Ok(number) => format!("E{number:04}"),
        Err(_) => code.to_owned(),
    };
    closest(&written, PAGES.iter().map(|(known, _)| *known))
}
