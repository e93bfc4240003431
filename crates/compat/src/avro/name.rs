//! Which of a reader's types stands for a writer's.

use tidegate_schema::avro::{Avro, FullName, Kind, NodeId};

/// Whether the names of two named types match: the same without the namespace, or an alias of the
/// reader.
pub(super) fn matches(writer: &Kind, reader: &Kind) -> bool {
    match (writer.named(), reader.named()) {
        (Some((writer, _)), Some((reader, aliases))) => {
            writer.short() == reader.short() || aliases.contains(writer)
        }
        _ => true,
    }
}

fn is_exactly(writer: &FullName, reader: &FullName, aliases: &[FullName]) -> bool {
    writer == reader || aliases.contains(writer)
}

/// How a reader takes a primitive value for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promotion {
    /// Every value stays what it is.
    Whole,
    /// A number of many digits is rounded.
    Rounds,
    /// Only bytes that are text can be read.
    Text,
}

/// Whether and how a reader promotes a writer's primitive type.
pub(super) fn promotion(writer: &Kind, reader: &Kind) -> Option<Promotion> {
    match (writer, reader) {
        (Kind::Int, Kind::Long | Kind::Double)
        | (Kind::Float, Kind::Double)
        | (Kind::String, Kind::Bytes) => Some(Promotion::Whole),
        (Kind::Int | Kind::Long, Kind::Float) | (Kind::Long, Kind::Double) => {
            Some(Promotion::Rounds)
        }
        (Kind::Bytes, Kind::String) => Some(Promotion::Text),
        _ => None,
    }
}

/// The branches of a reader's union that may stand for a writer's type, the one that is taken
/// first: of the same type and full name, then of the same name, then a promotion.
pub(super) fn candidates(
    (writer_schema, writer): (&Avro, NodeId),
    (reader_schema, branches): (&Avro, &[NodeId]),
) -> Vec<NodeId> {
    let writer = &writer_schema.node(writer).kind;
    let mut found: Vec<(u8, NodeId)> = Vec::new();
    for branch in branches {
        let reader = &reader_schema.node(*branch).kind;
        let same = std::mem::discriminant(writer) == std::mem::discriminant(reader);
        let rank = match (writer.named(), reader.named()) {
            (Some((name, _)), Some((own, aliases))) if same => {
                if is_exactly(name, own, aliases) {
                    Some(0)
                } else if name.short() == own.short() {
                    Some(1)
                } else {
                    None
                }
            }
            _ if same => Some(0),
            _ => promotion(writer, reader).map(|_| 2),
        };
        found.extend(rank.map(|rank| (rank, *branch)));
    }
    // Stable: among equals the first in the union is taken.
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, branch)| branch).collect()
}
