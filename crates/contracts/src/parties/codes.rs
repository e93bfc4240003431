//! What the rules over contracts can say.

use tidegate_model::{Code, CodeInfo, Severity};

macro_rules! codes {
    ($($name:ident $code:literal $severity:ident $title:literal,)+) => {
        $(pub(crate) const $name: CodeInfo =
            CodeInfo { code: Code($code), severity: Severity::$severity, title: $title };)+

        /// Every code of contracts between parties, in order.
        pub const CODES: &[CodeInfo] = &[$($name),+];
    };
}

codes! {
    NOT_MET "E0901" Error "contract that is not met",
    NOT_PROVED "E0902" Note "contract that is not proved",
    NOT_A_RULE "E0903" Error "rule that cannot be read",
    RULE_READS_UNDECLARED "E0904" Error "rule that reads what the schema does not declare",
    RULE_TYPES "E0905" Error "rule that is never true or false",
    UNKNOWN_VERSION "E0906" Error "unknown version",
    VALUE_NEVER_SENT "E0907" Warning "value that is never sent",
    EXAMPLE_BREAKS_RULE "E0908" Error "example that breaks a rule",
    NEVER_KEPT "E0909" Error "rule that no event keeps",
}

/// The code of a contract that is not met: commands that show contracts do not stop at it.
pub const NOT_MET_CODE: Code = NOT_MET.code;
