//! Every code of this crate, once: the constant that a rule uses and the list that readers see.

use tidegate_model::{Code, CodeInfo, Severity};

macro_rules! codes {
    ($($name:ident $code:literal $severity:ident $title:literal,)+) => {
        $(pub(crate) const $name: CodeInfo =
            CodeInfo { code: Code($code), severity: Severity::$severity, title: $title };)+

        /// Every code of AsyncAPI documents and of imports, in order.
        pub const CODES: &[CodeInfo] = &[$($name),+];
    };
}

codes! {
    SYNTAX "E0801" Error "document that is neither YAML nor JSON",
    VERSION "E0802" Error "unsupported version of AsyncAPI",
    STRUCTURE "E0803" Error "not what AsyncAPI allows",
    DEAD_REFERENCE "E0804" Error "reference that leads nowhere",
    OUTSIDE_REFERENCE "E0805" Warning "reference out of the files at hand",
    WRONG_KIND "E0806" Error "reference to another kind of thing",
    DUPLICATE_KEY "E0807" Error "key written twice",

    PARAMETER_MISSING "E0811" Error "parameter without declaration",
    PARAMETER_EXTRA "E0812" Error "parameter that is not in the address",
    ADDRESS_QUERY "E0813" Error "address with a query or fragment",
    DUPLICATE_ADDRESS "E0814" Warning "two channels with one address",
    BROKER_NAME "E0815" Warning "name that the broker refuses",
    UNKNOWN_SERVER "E0816" Error "unknown server of a channel",
    SERVER_VARIABLES "E0817" Error "server variables that do not fit the address",
    UNKNOWN_SECURITY "E0818" Error "unknown security scheme",

    FOREIGN_MESSAGE "E0821" Error "message that is not of the channel",
    FOREIGN_CHANNEL "E0822" Error "channel that is not of the document",
    DUPLICATE_ID "E0823" Error "id used twice",
    DUPLICATE_TAG "E0824" Error "tag used twice",
    REPLY_ADDRESS "E0825" Error "reply with two addresses",
    DEAD_EXPRESSION "E0827" Warning "expression that points at nothing",

    EXAMPLE "E0831" Error "example that does not fit its schema",
    DEFAULT "E0832" Warning "default that does not fit its schema",
    AMBIGUOUS_MESSAGES "E0833" Error "messages that cannot be told apart",
    UNSATISFIABLE "E0834" Warning "schema that nothing fits",
    UNUSABLE_SCHEMA "E0835" Warning "schema that cannot be compiled",

    FOREIGN_BINDING "E0841" Warning "binding of a protocol that no server speaks",
    UNUSED_CHANNEL "E0851" Warning "channel without operation",
    UNUSED_COMPONENT "E0852" Note "unused component",
    POLICY "E0861" Warning "policy that is not understood",

    LOST "E0871" Note "lost in the import",
    CONTRADICTION "E0872" Warning "documents that contradict each other",
}
