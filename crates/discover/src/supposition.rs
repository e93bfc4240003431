//! What was asked: what if these calls were made otherwise?

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use indexmap::IndexMap;
use tidegate_base::{format_duration, parse_duration};

use crate::judge::{Court, Path};
use crate::observe::Observation;
use crate::replay::Saving;
use crate::replay::change::Change;

/// How calls are made instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supposed {
    /// The caller publishes an event and does not wait.
    Asynchronous,
    /// None waits for the call that it came right after.
    Parallel,
    /// They are not made.
    Removed,
    /// They take so much longer.
    Slowed(Duration),
}

/// Calls of a service, or of one operation of it, made otherwise: `async:CALLEE/OPERATION`, `parallel:…`,
/// `remove:…` or `slow=DURATION:…`, the operation being optional.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supposition {
    /// How they are made instead.
    pub supposed: Supposed,
    /// The service that is called.
    pub callee: String,
    /// The operation; `None`: every one.
    pub operation: Option<String>,
}

/// What a supposition would change.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was asked.
    pub supposition: Supposition,
    /// How many calls it is about.
    pub calls: usize,
    /// What it saves, by endpoint, the most in all first; below zero where requests take longer. Empty where
    /// predictions are withheld.
    pub savings: Vec<Saving>,
}

impl Supposed {
    /// Its word, in questions and reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Asynchronous => "async",
            Self::Parallel => "parallel",
            Self::Removed => "remove",
            Self::Slowed(_) => "slow",
        }
    }
}

impl fmt::Display for Supposition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.supposed.word())?;
        if let Supposed::Slowed(by) = self.supposed {
            write!(out, "={}", format_duration(by))?;
        }
        write!(out, ":{}", self.callee)?;
        match &self.operation {
            Some(operation) => write!(out, "/{operation}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Supposition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "write `async:SERVICE/OPERATION`, `parallel:…`, `remove:…` or `slow=20ms:…`; without an \
                    operation it is about all calls of the service";
        let (supposed, calls) = text.split_once(':').ok_or(form)?;
        let supposed = match supposed.split_once('=') {
            None => match supposed {
                "async" => Supposed::Asynchronous,
                "parallel" => Supposed::Parallel,
                "remove" => Supposed::Removed,
                _ => return Err(form.to_owned()),
            },
            Some(("slow", by)) => {
                Supposed::Slowed(parse_duration(by).map_err(|error| error.to_string())?)
            }
            Some(_) => return Err(form.to_owned()),
        };
        let (callee, operation) = match calls.split_once('/') {
            Some((callee, operation)) => (callee, Some(operation)),
            None => (calls, None),
        };
        if callee.is_empty() || operation == Some("") {
            return Err(form.to_owned());
        }
        Ok(Self {
            supposed,
            callee: callee.to_owned(),
            operation: operation.map(str::to_owned),
        })
    }
}

impl Supposition {
    fn is_about(&self, (_, _, callee, operation): &Path) -> bool {
        // The name of a service may have a slash itself.
        let asked = match &self.operation {
            Some(asked) => format!("{}/{asked}", self.callee),
            None => self.callee.clone(),
        };
        let of_service = asked.strip_prefix(callee.as_str());
        of_service.is_some_and(|rest| rest.is_empty() || rest.strip_prefix('/') == Some(operation))
    }

    fn change(&self, publish: Change) -> Change {
        match self.supposed {
            Supposed::Asynchronous => publish,
            Supposed::Parallel => Change::Parallelise,
            Supposed::Removed => Change::Remove,
            Supposed::Slowed(by) => Change::Slow {
                by: i64::try_from(by.as_nanos()).unwrap_or(i64::MAX),
            },
        }
    }
}

/// Answers each question by the calls that were observed.
pub(crate) fn answers(
    court: &Court<'_>,
    observations: &IndexMap<Path, Vec<Observation>>,
) -> Vec<Answer> {
    let asked = court.options.suppositions.iter();
    let answers = asked.map(|supposition| {
        let about = observations.iter();
        let about = about.filter(|(path, _)| supposition.is_about(path));
        let about: Vec<&[Observation]> = about.map(|(_, seen)| seen.as_slice()).collect();
        Answer {
            calls: about.iter().map(|seen| seen.len()).sum(),
            savings: court.saved_by_all(&about, supposition.change(court.publish())),
            supposition: supposition.clone(),
        }
    });
    answers.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_about_the_calls_that_it_names() {
        let about = |text: &str, callee: &str, operation: &str| {
            let [callee, operation] = [callee, operation].map(str::to_owned);
            let path = (String::new(), String::new(), callee, operation);
            text.parse::<Supposition>().unwrap().is_about(&path)
        };
        assert!(about("remove:stock", "stock", "GET /items"));
        assert!(about("remove:stock/GET /items", "stock", "GET /items"));
        assert!(!about("remove:stock/GET", "stock", "GET /items"));
        assert!(!about("remove:stock", "stocks", "GET /items"));
        assert!(about("remove:shop/cart", "shop/cart", "add"));
        assert!(about("remove:shop/cart/add", "shop/cart", "add"));
        assert!(about("remove:shop/cart/add", "shop", "cart/add"));
        assert!(!about("remove:shop/car", "shop/cart", "add"));
    }

    #[test]
    fn a_question_is_read_as_it_is_written() {
        for text in [
            "async:mailer/Send",
            "parallel:stock",
            "remove:stock/GET /items/{}",
            "slow=20ms:shipping",
        ] {
            assert_eq!(text.parse::<Supposition>().unwrap().to_string(), text);
        }
        let http = "remove:stock/GET /items/{}".parse::<Supposition>().unwrap();
        assert_eq!(http.callee, "stock");
        assert_eq!(http.operation.as_deref(), Some("GET /items/{}"));
        for text in [
            "mailer",
            "later:mailer",
            "slow:mailer",
            "slow=x:mailer",
            "async=1s:mailer",
            "async:",
            "async:/a",
            "async:a/",
            "",
        ] {
            assert!(text.parse::<Supposition>().is_err(), "{text}");
        }
    }
}
