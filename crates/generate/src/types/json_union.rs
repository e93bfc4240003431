//! `oneOf` and `anyOf`: what is one of several types.
//!
//! Objects that a property tells apart are variants by that property. Other objects are one record
//! with the fields of all, as a reader that ignores what it does not know could not tell them apart.
//! Values of different kinds of JSON are variants by their kind.

use serde_json::Value;

use super::json::{Object, Reading, declared, requires};
use super::model::{By, Field, Kind, Shape, Type, Variant};
use super::names::pascal;

/// Whether a schema offers alternatives that differ in more than what they require.
pub(super) fn is_union(part: &Object) -> bool {
    members(part).is_some_and(|members| members.iter().any(describes))
}

fn members(part: &Object) -> Option<&Vec<Value>> {
    let list = part.get("oneOf").or_else(|| part.get("anyOf"))?;
    list.as_array()
}

/// Whether a schema says what values look like.
fn describes(schema: &Value) -> bool {
    const KEYWORDS: [&str; 10] = [
        "$ref",
        "type",
        "properties",
        "items",
        "enum",
        "const",
        "oneOf",
        "anyOf",
        "allOf",
        "additionalProperties",
    ];
    KEYWORDS
        .iter()
        .any(|keyword| schema.get(*keyword).is_some())
}

/// The shape of values of which the part at `at` offers alternatives.
pub(super) fn shape<'a>(
    reading: &mut Reading<'a>,
    parts: &[&'a Object],
    at: usize,
    name: &str,
    depth: usize,
) -> Shape {
    let Some(own) = parts.get(at).copied() else {
        return Shape::Wrapper(Type::Any);
    };
    let all: Vec<&'a Value> = members(own).into_iter().flatten().collect();
    let is_null = |member: &&Value| {
        member.get("type").and_then(Value::as_str) == Some("null")
            || member.get("const").is_some_and(Value::is_null)
    };
    let null = all.iter().any(is_null);
    let rest: Vec<&'a Value> = all.into_iter().filter(|member| !is_null(member)).collect();
    // What stands beside the alternatives holds of each of them.
    let beside: Vec<&'a Object> = parts.to_vec();
    let shape = alternatives(reading, &rest, &beside, own, name, depth);
    if null {
        reading.nullable(shape, name)
    } else {
        shape
    }
}

fn alternatives<'a>(
    reading: &mut Reading<'a>,
    members: &[&'a Value],
    beside: &[&'a Object],
    own: &'a Object,
    name: &str,
    depth: usize,
) -> Shape {
    let has_fields = !declared(beside).is_empty();
    if let Some(found) = discriminator(reading, members, own) {
        let mut variants = Vec::new();
        for (member, tags) in members.iter().zip(found.tags) {
            let inner = tags.first().map_or(name, String::as_str).to_owned();
            let inner = format!("{name} {inner}");
            let ty = if has_fields {
                let parts = together(reading, member, beside);
                let shape = reading.object(&parts, Some(own), &inner, depth + 1);
                reading.named(shape, &inner, String::new())
            } else {
                reading.ty(&[member], &inner, depth + 1)
            };
            variants.push(Variant {
                name: pascal(tags.first().map_or("variant", String::as_str)),
                tags,
                ty,
            });
        }
        return Shape::Union {
            by: By::Property(found.property),
            variants,
        };
    }
    let mut types: Vec<Type> = Vec::new();
    let mut objects: Vec<Vec<&'a Object>> = Vec::new();
    for member in members {
        let parts = together(reading, member, beside);
        let of_member = reading.parts(&[*member]);
        if is_object(&of_member) || (has_fields && !declared(&of_member).is_empty()) {
            objects.push(parts);
        } else if members.len() == 1 || !has_fields {
            types.push(reading.ty(&[member], name, depth + 1));
        } else {
            objects.push(parts);
        }
    }
    if !objects.is_empty() {
        let shape = merged(reading, &objects, own, name, depth);
        if types.is_empty() {
            return shape;
        }
        types.push(reading.named(shape, &format!("{name} object"), String::new()));
    }
    by_kind(reading, types)
}

/// The parts of a member and those beside the alternatives.
fn together<'a>(
    reading: &mut Reading<'a>,
    member: &'a Value,
    beside: &[&'a Object],
) -> Vec<&'a Object> {
    let mut parts = reading.parts(&[member]);
    parts.extend(beside);
    parts
}

fn is_object(parts: &[&Object]) -> bool {
    let typed = parts
        .iter()
        .any(|part| part.get("type").and_then(Value::as_str) == Some("object"));
    let listed = parts
        .iter()
        .any(|part| part.contains_key("enum") || part.contains_key("const") || is_union(part));
    let declares = parts.iter().any(|part| part.contains_key("properties"));
    let untyped = parts.iter().all(|part| !part.contains_key("type"));
    !listed && (typed || (declares && untyped))
}

/// One record of objects that nothing tells apart: a field is required where all require it.
fn merged<'a>(
    reading: &mut Reading<'a>,
    objects: &[Vec<&'a Object>],
    own: &Object,
    name: &str,
    depth: usize,
) -> Shape {
    let mut fields: Vec<Field> = Vec::new();
    let mut rest: Option<Type> = None;
    for parts in objects {
        match reading.object(parts, Some(own), name, depth + 1) {
            Shape::Record {
                fields: own,
                rest: own_rest,
            } => {
                for field in own {
                    merge(&mut fields, field);
                }
                rest = match (rest, own_rest) {
                    (Some(a), Some(b)) => Some(a.join(b)),
                    (one, other) => one.or(other),
                };
            }
            // A map keeps all names, and so does what it is merged with.
            _ => return Shape::Wrapper(Type::map(Type::Any)),
        }
    }
    for field in &mut fields {
        field.required = objects.iter().all(|parts| requires(parts, &field.wire));
    }
    // What one keeps by type may be anything for another.
    let rest = rest.map(|ty| if objects.len() > 1 { Type::Any } else { ty });
    Shape::Record { fields, rest }
}

fn merge(fields: &mut Vec<Field>, field: Field) {
    match fields.iter_mut().find(|known| known.wire == field.wire) {
        Some(known) => known.ty = known.ty.clone().join(field.ty),
        None => fields.push(field),
    }
}

/// A union of types of different kinds of JSON; where two have the same kind, of what they share.
pub(super) fn by_kind(reading: &Reading<'_>, types: Vec<Type>) -> Shape {
    let mut null = false;
    let mut found: Vec<(Kind, Type)> = Vec::new();
    for ty in types {
        let ty = match ty {
            Type::Nullable(inner) => {
                null = true;
                *inner
            }
            other => other,
        };
        let Some(kind) = reading.kind(&ty) else {
            return Shape::Wrapper(Type::Any);
        };
        add_kind(&mut found, kind, ty);
    }
    if null {
        // A union with a name inside of a type: the caller has no place for both.
        return match found.as_slice() {
            [(_, ty)] => Shape::Wrapper(ty.clone().nullable()),
            _ => Shape::Wrapper(Type::Any),
        };
    }
    match found.as_slice() {
        [] => Shape::Wrapper(Type::Any),
        [(_, ty)] => Shape::Wrapper(ty.clone()),
        _ => {
            found.sort_by_key(|(kind, _)| *kind as u8);
            let variants = found.into_iter().map(|(kind, ty)| Variant {
                name: variant_name(kind).to_owned(),
                tags: Vec::new(),
                ty,
            });
            Shape::Union {
                by: By::Kind,
                variants: variants.collect(),
            }
        }
    }
}

fn add_kind(found: &mut Vec<(Kind, Type)>, kind: Kind, ty: Type) {
    let number = |kind| matches!(kind, Kind::Integer | Kind::Number);
    let known = found
        .iter_mut()
        .find(|(known, _)| *known == kind || (number(*known) && number(kind)));
    let Some((known_kind, known_type)) = known else {
        found.push((kind, ty));
        return;
    };
    if *known_kind != kind {
        *known_kind = Kind::Number;
    }
    *known_type = match (kind, known_type.clone().join(ty)) {
        (Kind::Text, Type::Any) => Type::Text,
        (Kind::Object, Type::Any) => Type::map(Type::Any),
        (_, joined) => joined,
    };
}

fn variant_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "Flag",
        Kind::Integer => "Whole",
        Kind::Number => "Decimal",
        Kind::Text => "Text",
        Kind::List => "Items",
        Kind::Object => "Fields",
    }
}

struct Discriminator {
    property: String,
    /// The texts of the property, for each member.
    tags: Vec<Vec<String>>,
}

/// The property whose text tells every member from every other, and which all require.
fn discriminator<'a>(
    reading: &mut Reading<'a>,
    members: &[&'a Value],
    own: &Object,
) -> Option<Discriminator> {
    if members.len() < 2 {
        return None;
    }
    let mut parts = Vec::new();
    for member in members {
        let of_member = reading.parts(&[*member]);
        if !is_object(&of_member) {
            return None;
        }
        parts.push(of_member);
    }
    let named = own.get("discriminator");
    let named = named.and_then(|found| found.get("propertyName")?.as_str());
    let candidates = declared(parts.first()?);
    let mut candidates: Vec<String> = candidates.into_iter().map(|(name, _)| name).collect();
    candidates.sort_by_key(|name| Some(name.as_str()) != named);
    candidates.into_iter().find_map(|property| {
        let mut tags: Vec<Vec<String>> = Vec::new();
        for of_member in &parts {
            let found = texts(of_member, &property)?;
            if !requires(of_member, &property)
                || tags.iter().flatten().any(|tag| found.contains(tag))
            {
                return None;
            }
            tags.push(found);
        }
        Some(Discriminator { property, tags })
    })
}

/// The texts that a property may have, where they are listed.
fn texts(parts: &[&Object], property: &str) -> Option<Vec<String>> {
    let (_, schemas) = declared(parts)
        .into_iter()
        .find(|(name, _)| name == property)?;
    schemas.iter().find_map(|schema| {
        if let Some(one) = schema.get("const") {
            return Some(vec![one.as_str()?.to_owned()]);
        }
        let list = schema.get("enum")?.as_array()?;
        let texts: Option<Vec<String>> =
            list.iter().map(|v| v.as_str().map(str::to_owned)).collect();
        texts.filter(|texts| !texts.is_empty())
    })
}
