//! Files of settings: a line `name=value` each, comments after `#`.

/// A line of a file of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting<'a> {
    /// Its line, from 1 on.
    pub line: usize,
    /// Its name.
    pub name: &'a str,
    /// Its value, which may be a secret.
    pub value: &'a str,
}

/// The settings of a file, or the number of a line that is none.
pub fn settings(text: &str) -> impl Iterator<Item = Result<Setting<'_>, usize>> {
    let lines = (1..).zip(text.lines().map(str::trim));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(line, text)| {
        let (name, value) = text.split_once('=').ok_or(line)?;
        let (name, value) = (name.trim(), value.trim());
        Ok(Setting { line, name, value })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_their_numbers() {
        let text = "# who\n\n user = me \npassword=a=b\nwhat\n";
        let setting = |line, name, value| Ok(Setting { line, name, value });
        let expected = [
            setting(3, "user", "me"),
            setting(4, "password", "a=b"),
            Err(5),
        ];
        assert_eq!(settings(text).collect::<Vec<_>>(), expected);
    }
}
