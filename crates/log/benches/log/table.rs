//! Aligned figures.

/// A table that is printed as its rows come.
pub(crate) struct Table {
    widths: Vec<usize>,
}

impl Table {
    /// Prints the title and the heads; each column has its width, the first is aligned to the left.
    pub(crate) fn start(title: &str, columns: &[(&str, usize)]) -> Self {
        println!("\n{title}\n");
        let table = Self {
            widths: columns.iter().map(|(_, width)| *width).collect(),
        };
        let heads: Vec<String> = columns.iter().map(|(head, _)| (*head).to_owned()).collect();
        table.row(&heads);
        table
    }

    pub(crate) fn row(&self, cells: &[String]) {
        let mut line = String::new();
        for (at, (cell, width)) in cells.iter().zip(&self.widths).enumerate() {
            let width = *width;
            match at {
                0 => line.push_str(&format!("{cell:width$}")),
                _ => line.push_str(&format!("  {cell:>width$}")),
            }
        }
        println!("{}", line.trim_end());
    }

    /// The columns of a log beside its limit.
    pub(crate) fn beside_limit(title: &str, first: &str) -> Self {
        let columns = [
            (first, 48),
            ("log", 30),
            ("bare file (limit)", 30),
            ("ratio", 18),
            ("aim", 7),
        ];
        Self::start(title, &columns)
    }

    /// A figure of the log, the same of the bare file, and the first through the second. Runs that
    /// belong together have the same index.
    pub(crate) fn compared(&self, what: String, log: &[f64], bare: &[f64], aim: &str) {
        self.row(&[
            what,
            figure(log),
            figure(bare),
            ratio(log, bare),
            aim.to_owned(),
        ]);
    }
}

/// The one in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Median and range.
pub(crate) fn figure(values: &[f64]) -> String {
    with_range(median(values), values, number)
}

/// The ratios of runs that belong together: a disk that is slow for a while slows both.
pub(crate) fn ratio(over: &[f64], under: &[f64]) -> String {
    let pairs: Vec<f64> = over.iter().zip(under).map(|(o, u)| o / u).collect();
    with_range(median(&pairs), &pairs, |ratio| format!("{ratio:.2}"))
}

fn with_range(middle: f64, values: &[f64], show: impl Fn(f64) -> String) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    match values.len() {
        1 => show(middle),
        _ => format!("{} ({}–{})", show(middle), show(least), show(most)),
    }
}

/// A number with as many places as say something.
pub(crate) fn number(value: f64) -> String {
    match value {
        value if value >= 1_000.0 => thousands(value),
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
