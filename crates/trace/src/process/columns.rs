//! Which column of a log is what.

use crate::columns::{ALIBABA, FIELDS};

/// What a mapping may name of a process log.
pub(crate) const ROLES: [&str; 8] = [
    "case",
    "activity",
    "start",
    "end",
    "resource",
    "enabled",
    "lifecycle",
    "object-type",
];

/// The columns of a log by their names; `None` where the usual names are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// What tells the cases apart.
    pub case: Option<String>,
    /// What was done.
    pub activity: Option<String>,
    /// When work started.
    pub start: Option<String>,
    /// When it was complete.
    pub end: Option<String>,
    /// Who did it.
    pub resource: Option<String>,
    /// When it could have started.
    pub enabled: Option<String>,
    /// Whether the row is a start or an end.
    pub lifecycle: Option<String>,
    /// In an object-centric log: the type of objects that are the cases.
    pub object_type: Option<String>,
    /// Whether columns were named that only a table of spans has.
    pub of_spans: bool,
    /// Whether the file was found in a folder and not named: a table is then no log unless it has
    /// the column of the case.
    pub of_a_found_file: bool,
}

/// What a column can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Case,
    Activity,
    Start,
    End,
    Resource,
    Enabled,
    Lifecycle,
}

impl Role {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::Activity => "activity",
            Self::Start => "start",
            Self::End => "end",
            Self::Resource => "resource",
            Self::Enabled => "enabled",
            Self::Lifecycle => "lifecycle",
        }
    }

    /// The usual names, most telling first, as [`normal`] writes them.
    fn usual(self) -> &'static [&'static str] {
        match self {
            Self::Case => &[
                "case_concept_name",
                "case_id",
                "caseid",
                "case",
                "case_name",
                "process_instance_id",
            ],
            Self::Activity => &[
                "concept_name",
                "activity",
                "activity_name",
                "activityname",
                "task",
                "event",
            ],
            Self::Start => &[
                "start_timestamp",
                "start_time",
                "starttime",
                "start",
                "begin",
                "time_start",
            ],
            Self::End => &[
                "time_timestamp",
                "end_timestamp",
                "end_time",
                "endtime",
                "complete_timestamp",
                "completion_time",
                "end",
                "timestamp",
                "time",
                "date",
            ],
            Self::Resource => &["org_resource", "resource", "user", "performer", "employee"],
            Self::Enabled => &[
                "time_enabled",
                "enabled_time",
                "enable_time",
                "enabled_timestamp",
            ],
            Self::Lifecycle => &["lifecycle_transition", "lifecycle", "transition"],
        }
    }
}

impl Columns {
    /// Reads `case=NAME,activity=NAME,…`. What only a table of spans has is passed over: the same
    /// text may be for files of both kinds.
    ///
    /// # Errors
    ///
    /// A message that names the part that is not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut columns = Self::default();
        if text == ALIBABA {
            columns.of_spans = true;
            return Ok(columns);
        }
        for part in text.split(',') {
            let (role, name) = part
                .split_once('=')
                .ok_or_else(|| format!("`{part}` is not ROLE=NAME"))?;
            let (role, name) = (role.trim(), name.trim());
            if name.is_empty() {
                return Err(format!("`{part}` names no column"));
            }
            let place = match role {
                "case" => &mut columns.case,
                "activity" => &mut columns.activity,
                "start" => &mut columns.start,
                "end" => &mut columns.end,
                "resource" => &mut columns.resource,
                "enabled" => &mut columns.enabled,
                "lifecycle" => &mut columns.lifecycle,
                "object-type" => &mut columns.object_type,
                _ if FIELDS.iter().any(|(_, field, _)| *field == role) => {
                    columns.of_spans = true;
                    continue;
                }
                _ => {
                    return Err(format!(
                        "`{role}` is none of {}, nor of a table of spans: {}",
                        ROLES.join(", "),
                        FIELDS.map(|(_, field, _)| field).join(", ")
                    ));
                }
            };
            if place.replace(name.to_owned()).is_some() {
                return Err(format!("`{role}` is named twice"));
            }
        }
        Ok(columns)
    }

    /// Whether what was named is of a process log alone, and nothing of a table of spans.
    #[must_use]
    pub fn are_of_a_log(&self) -> bool {
        let named = [
            &self.case,
            &self.activity,
            &self.resource,
            &self.enabled,
            &self.lifecycle,
            &self.object_type,
        ];
        !self.of_spans && named.iter().any(|name| name.is_some())
    }

    /// The name that was given for a role.
    pub(super) fn named(&self, role: Role) -> Option<&str> {
        match role {
            Role::Case => self.case.as_deref(),
            Role::Activity => self.activity.as_deref(),
            Role::Start => self.start.as_deref(),
            Role::End => self.end.as_deref(),
            Role::Resource => self.resource.as_deref(),
            Role::Enabled => self.enabled.as_deref(),
            Role::Lifecycle => self.lifecycle.as_deref(),
        }
    }

    /// The column of `header` that has the role: the one that was named, else the first usual one.
    ///
    /// # Errors
    ///
    /// The name that was given, when it is not in the header.
    pub(super) fn find(&self, role: Role, header: &[String]) -> Result<Option<usize>, String> {
        if let Some(name) = self.named(role) {
            return match header.iter().position(|column| column == name) {
                Some(found) => Ok(Some(found)),
                None => Err(name.to_owned()),
            };
        }
        let normal: Vec<String> = header.iter().map(|column| normal(column)).collect();
        let mut usual = role.usual().iter();
        Ok(usual.find_map(|name| normal.iter().position(|column| column == name)))
    }

    /// Whether `key` of an attribute is the one that has the role, by name.
    pub(super) fn is(&self, role: Role, key: &str) -> bool {
        match self.named(role) {
            Some(name) => key == name,
            None => role
                .usual()
                .first()
                .is_some_and(|usual| normal(key) == *usual),
        }
    }
}

/// Lower case, with one `_` for whatever stands between words.
fn normal(column: &str) -> String {
    let words: Vec<String> = column
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_or_usual() {
        let header: Vec<String> = ["Case ID", "Activity", "concept:name", "Complete Timestamp"]
            .map(str::to_owned)
            .to_vec();
        let columns = Columns::default();
        assert_eq!(columns.find(Role::Case, &header), Ok(Some(0)));
        assert_eq!(columns.find(Role::Activity, &header), Ok(Some(2)));
        assert_eq!(columns.find(Role::End, &header), Ok(Some(3)));
        assert_eq!(columns.find(Role::Resource, &header), Ok(None));
        let columns = Columns::parse("activity=Activity, case=nope").unwrap();
        assert_eq!(columns.find(Role::Activity, &header), Ok(Some(1)));
        assert_eq!(columns.find(Role::Case, &header), Err("nope".to_owned()));
    }

    #[test]
    fn columns_of_spans_are_passed_over() {
        let columns = Columns::parse("trace=t,case=c,start=from:ms").unwrap();
        assert_eq!(columns.case.as_deref(), Some("c"));
        assert!(columns.of_spans);
        assert!(Columns::parse("alibaba").unwrap().of_spans);
        assert!(!Columns::parse("case=c,end=to").unwrap().of_spans);
    }

    #[test]
    fn what_is_not_a_mapping_is_said() {
        for (text, message) in [
            ("case", "`case` is not ROLE=NAME"),
            ("case=", "`case=` names no column"),
            ("case=a,case=b", "`case` is named twice"),
            ("colour=red", "`colour` is none of"),
        ] {
            assert!(
                Columns::parse(text).unwrap_err().starts_with(message),
                "{text}"
            );
        }
    }
}
