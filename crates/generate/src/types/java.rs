//! Types in Java 17: records that read and write trees of `Map`, `List`, `String`, `Number`, `Boolean` and
//! `null`, which every JSON library has; so none is forced on a service.

use super::model::{By, Definition, Field, Kind, Model, Shape, Type, Variant, kind};
use super::names::{Names, camel, pascal, screaming, words};
use super::text;
use super::{EventTypes, File, Heading};

/// Words that are no names, of fields and packages.
const KEYWORDS: &[&str] = &[
    "abstract",
    "assert",
    "boolean",
    "break",
    "byte",
    "case",
    "catch",
    "char",
    "class",
    "const",
    "continue",
    "default",
    "do",
    "double",
    "else",
    "enum",
    "extends",
    "final",
    "finally",
    "float",
    "for",
    "goto",
    "if",
    "implements",
    "import",
    "instanceof",
    "int",
    "interface",
    "long",
    "native",
    "new",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "short",
    "static",
    "strictfp",
    "super",
    "switch",
    "synchronized",
    "this",
    "throw",
    "throws",
    "transient",
    "try",
    "void",
    "volatile",
    "while",
    "true",
    "false",
    "null",
    "record",
    "sealed",
    "permits",
    "yield",
    "var",
    // What a record has already, and what is a name in its methods.
    "clone",
    "finalize",
    "getClass",
    "hashCode",
    "notify",
    "notifyAll",
    "toString",
    "wait",
    "toJson",
    "fromJson",
    "read",
    "object",
    "at",
    "value",
];

/// Most components of a record: a method takes no more.
const COMPONENTS_MAX: usize = 250;

/// What the types of every event share.
const SUPPORT: &str = include_str!("support/Json.java.txt");
const CLOUD_EVENT: &str = include_str!("support/CloudEvent.java.txt");

pub(super) fn files(
    heading: &Heading<'_>,
    events: &[EventTypes<'_>],
    package: Option<&str>,
) -> Vec<File> {
    let package = match package {
        Some(package) => package.to_owned(),
        None => {
            let name = words(heading.system).concat();
            Names::default().claim_beside(&camel(&name), KEYWORDS)
        }
    };
    let top = format!("// {}\npackage {package};\n\n", heading.line());
    let folder = package.replace('.', "/");
    let mut files = vec![
        File {
            path: format!("{folder}/Json.java"),
            text: format!("{top}{SUPPORT}"),
        },
        File {
            path: format!("{folder}/CloudEvent.java"),
            text: format!("{top}{CLOUD_EVENT}"),
        },
    ];
    for event in events {
        let body = of_event(event);
        let mut imports = String::new();
        for name in ["LinkedHashMap", "List", "Map", "Optional"] {
            if body.contains(&format!("{name}<")) || body.contains(&format!(" {name}.of(")) {
                imports.push_str(&format!("import java.util.{name};\n"));
            }
        }
        if !imports.is_empty() {
            imports.push('\n');
        }
        files.push(File {
            path: format!("{folder}/{}.java", event.model.name(0)),
            text: format!("{top}{imports}{body}"),
        });
    }
    files
}

fn of_event(event: &EventTypes<'_>) -> String {
    let mut types = Names::default();
    for definition in &event.model.definitions {
        types.claim(&definition.name);
    }
    let mut writing = Writing {
        model: &event.model,
        types,
    };
    let mut inner = String::new();
    for definition in event.model.definitions.iter().skip(1) {
        inner.push('\n');
        inner.push_str(&indented(&writing.definition(definition, "", "")));
    }
    let constants = format!(
        "  /** The channel: the name of the event in the design. */\n  public static final String CHANNEL = {};\n\n  /** The CloudEvents {{@code type}}. */\n  public static final String TYPE = {};\n\n",
        literal(event.channel),
        literal(event.event_type)
    );
    let Some(root) = event.model.definitions.first() else {
        return String::new();
    };
    let mut root = root.clone();
    if root.doc.is_empty() {
        root.doc = event.title();
    }
    writing.definition(&root, &constants, &inner)
}

fn indented(text: &str) -> String {
    let lines = text.lines();
    lines
        .map(|line| {
            if line.is_empty() {
                "\n".to_owned()
            } else {
                format!("  {line}\n")
            }
        })
        .collect()
}

struct Writing<'a> {
    model: &'a Model,
    types: Names,
}

impl Writing<'_> {
    /// A class, with `constants` first and the classes of `inner` last.
    fn definition(&mut self, definition: &Definition, constants: &str, inner: &str) -> String {
        let doc = text::block(&definition.doc, "", comment);
        let name = &definition.name;
        let body = match &definition.shape {
            Shape::Record { fields, rest } if fields.len() <= COMPONENTS_MAX => {
                self.record(name, fields, rest.as_ref(), constants)
            }
            Shape::Record { .. } => self.wrapper(name, &Type::map(Type::Any), constants),
            Shape::Enum { values, .. } => enumeration(name, values, constants),
            Shape::Wrapper(ty) => self.wrapper(name, ty, constants),
            Shape::Union { by, variants } => self.union(name, by, variants, constants),
        };
        format!("{doc}{body}{inner}}}\n")
    }

    fn record(&self, name: &str, fields: &[Field], rest: Option<&Type>, constants: &str) -> String {
        let mut names = Names::default();
        let mut components = Vec::new();
        let mut reads = Vec::new();
        let mut writes = String::new();
        let mut wires = Vec::new();
        for field in fields {
            let ident = names.claim_beside(&camel(&field.wire), KEYWORDS);
            let doc = text::block(&field.doc, "    ", comment);
            components.push(format!("{doc}    {} {ident}", self.field_type(field)));
            reads.push(self.read_field(field));
            let wire = literal(&field.wire);
            writes.push_str(&match (field.required, field.ty.takes_null()) {
                (true, _) => format!("    object.put({wire}, Json.write({ident}));\n"),
                (false, _) => format!("    Json.put(object, {wire}, {ident});\n"),
            });
            wires.push(wire);
            wires.extend(field.aliases.iter().map(|alias| literal(alias)));
        }
        if let Some(rest) = rest {
            let ident = names.claim("additionalProperties");
            components.push(format!(
                "    /** What is not declared. */\n    Map<String, {}> {ident}",
                self.ty(rest, true)
            ));
            reads.push(format!(
                "Json.rest(object, at, {}, List.of({}))",
                self.reader(rest),
                wires.join(", ")
            ));
            writes.push_str(&format!("    object.putAll(Json.writeAll({ident}));\n"));
        }
        let arguments = reads.join(",\n        ");
        let open = if components.is_empty() {
            String::new()
        } else {
            format!("\n{}", components.join(",\n"))
        };
        let arguments = if arguments.is_empty() {
            String::new()
        } else {
            format!("\n        {arguments}")
        };
        format!(
            "public record {name}({open}) implements Json.Writable {{\n{constants}{from}  static {name} read(Object value, String at) {{\n    Map<String, Object> object = Json.object(value, at);\n    return new {name}({arguments});\n  }}\n\n  @Override\n  public Map<String, Object> toJson() {{\n    Map<String, Object> object = new LinkedHashMap<>();\n{writes}    return object;\n  }}\n",
            from = from_json(name),
        )
    }

    fn field_type(&self, field: &Field) -> String {
        match (field.required, field.ty.takes_null()) {
            (true, _) => self.ty(&field.ty, field.ty.takes_null()),
            (false, false) => self.ty(&field.ty, true),
            // Absent is `null`, and `null` is empty.
            (false, true) => format!("Optional<{}>", self.ty(&field.ty, true)),
        }
    }

    fn read_field(&self, field: &Field) -> String {
        let method = match (field.required, field.ty.takes_null()) {
            (true, _) => "required",
            (false, false) => "optional",
            (false, true) => "nullable",
        };
        let mut names = vec![literal(&field.wire)];
        names.extend(field.aliases.iter().map(|alias| literal(alias)));
        // The type of the variable tells which one is meant where a reader takes `null`.
        format!(
            "Json.{method}(object, at, {}, {})",
            self.reader(&field.ty),
            names.join(", ")
        )
    }

    fn wrapper(&self, name: &str, ty: &Type, constants: &str) -> String {
        format!(
            "public record {name}({} value) implements Json.Writable {{\n{constants}{from}  static {name} read(Object value, String at) {{\n    return new {name}({reader}.read(value, at));\n  }}\n\n  @Override\n  public Object toJson() {{\n    return Json.write(value);\n  }}\n",
            self.ty(ty, true),
            from = from_json(name),
            reader = self.typed_reader(ty),
        )
    }

    fn union(&mut self, name: &str, by: &By, variants: &[Variant], constants: &str) -> String {
        let mut out = format!(
            "public sealed interface {name} extends Json.Writable {{\n{constants}{}",
            from_json(name)
        );
        let classes: Vec<String> = variants
            .iter()
            .map(|variant| {
                self.types
                    .claim(&format!("{name}{}", pascal(&variant.name)))
            })
            .collect();
        let other = self.types.claim(&format!("{name}Other"));
        out.push_str(&format!(
            "  static {name} read(Object value, String at) {{\n"
        ));
        match by {
            By::Property(property) => {
                out.push_str(&format!(
                    "    String tag = Json.tag(value, {});\n",
                    literal(property)
                ));
            }
            By::Key => out.push_str("    String tag = Json.onlyKey(value);\n"),
            By::Kind => {}
        }
        for (variant, class) in variants.iter().zip(&classes) {
            let (condition, inner) = match by {
                By::Kind => (self.is_kind(&variant.ty), "value"),
                By::Property(_) => (is_tag(&variant.tags), "value"),
                By::Key => (is_tag(&variant.tags), "Json.object(value, at).get(tag)"),
            };
            out.push_str(&format!(
                "    if ({condition}) {{\n      return new {class}({}.read({inner}, at));\n    }}\n",
                self.typed_reader(&variant.ty)
            ));
        }
        out.push_str(&format!("    return new {other}(value);\n  }}\n"));
        for (variant, class) in variants.iter().zip(&classes) {
            let written = match (by, variant.tags.first()) {
                (By::Key, Some(tag)) => format!("Json.keyed({}, value)", literal(tag)),
                _ => "Json.write(value)".to_owned(),
            };
            out.push_str(&variant_class(
                name,
                class,
                &self.ty(&variant.ty, true),
                &written,
            ));
        }
        out.push_str("\n  /** A value that this version does not know. */");
        out.push_str(&variant_class(name, &other, "Object", "Json.write(value)"));
        out
    }

    fn is_kind(&self, ty: &Type) -> String {
        let class = match kind(&self.model.definitions, ty) {
            Some(Kind::Boolean) => "Boolean",
            Some(Kind::Integer | Kind::Number) => "Number",
            Some(Kind::Text) => "String",
            Some(Kind::List) => "List",
            Some(Kind::Object) => "Map",
            None => "Object",
        };
        let generic = match class {
            "List" => "<?>",
            "Map" => "<?, ?>",
            _ => "",
        };
        format!("value instanceof {class}{generic}")
    }

    fn ty(&self, ty: &Type, boxed: bool) -> String {
        match ty {
            Type::Any => "Object".to_owned(),
            Type::Boolean => if boxed { "Boolean" } else { "boolean" }.to_owned(),
            Type::Integer => if boxed { "Long" } else { "long" }.to_owned(),
            Type::Number => if boxed { "Double" } else { "double" }.to_owned(),
            Type::Text => "String".to_owned(),
            Type::LongText { signed: true } => "Json.Int64".to_owned(),
            Type::LongText { signed: false } => "Json.Uint64".to_owned(),
            Type::List(item) => format!("List<{}>", self.ty(item, true)),
            Type::Map(value) => format!("Map<String, {}>", self.ty(value, true)),
            Type::Nullable(inner) => self.ty(inner, true),
            Type::Named(id) => self.model.name(*id).to_owned(),
        }
    }

    fn reader(&self, ty: &Type) -> String {
        match ty {
            Type::Any => "Json::any".to_owned(),
            Type::Boolean => "Json::flag".to_owned(),
            Type::Integer => "Json::whole".to_owned(),
            Type::Number => "Json::decimal".to_owned(),
            Type::Text => "Json::text".to_owned(),
            Type::LongText { signed: true } => "Json.Int64::read".to_owned(),
            Type::LongText { signed: false } => "Json.Uint64::read".to_owned(),
            Type::List(item) => format!("Json.list({})", self.reader(item)),
            Type::Map(value) => format!("Json.map({})", self.reader(value)),
            Type::Nullable(inner) => format!("Json.orNull({})", self.reader(inner)),
            Type::Named(id) => format!("{}::read", self.model.name(*id)),
        }
    }

    /// A reader that a method can be called on.
    fn typed_reader(&self, ty: &Type) -> String {
        format!("Json.<{}>reader({})", self.ty(ty, true), self.reader(ty))
    }
}

fn is_tag(tags: &[String]) -> String {
    let tests: Vec<String> = tags
        .iter()
        .map(|tag| format!("{}.equals(tag)", literal(tag)))
        .collect();
    tests.join(" || ")
}

fn variant_class(union: &str, class: &str, ty: &str, written: &str) -> String {
    format!(
        "\n  record {class}({ty} value) implements {union} {{\n    @Override\n    public Object toJson() {{\n      return {written};\n    }}\n  }}\n"
    )
}

fn enumeration(name: &str, values: &[String], constants: &str) -> String {
    let mut names = Names::without(&["CHANNEL", "TYPE"]);
    let mut known = String::new();
    for value in values {
        let ident = names.claim(&screaming(value));
        known.push_str(&format!(
            "  public static final {name} {ident} = new {name}({});\n",
            literal(value)
        ));
    }
    if !known.is_empty() {
        known.push('\n');
    }
    format!(
        "public record {name}(String value) implements Json.Writable {{\n{constants}{known}{from}  static {name} read(Object value, String at) {{\n    return new {name}(Json.text(value, at));\n  }}\n\n  @Override\n  public Object toJson() {{\n    return value;\n  }}\n",
        from = from_json(name),
    )
}

fn from_json(name: &str) -> String {
    format!(
        "  /** Reads what a JSON library has parsed; what is not declared is ignored. */\n  public static {name} fromJson(Object value) {{\n    return read(value, \"\");\n  }}\n\n"
    )
}

fn literal(text: &str) -> String {
    // The compiler reads `\u000a` as the end of a line, in a literal too.
    text::literal(text, |c| {
        if c.is_ascii() {
            format!("\\{:03o}", u32::from(c))
        } else {
            text::utf16(c)
        }
    })
}

/// A line of a comment: no end of it, no tag of its own, and no escape, which is read in comments too.
fn comment(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("&#64;"),
            '\\' => out.push_str("&#92;"),
            other => out.push(other),
        }
    }
    out.replace("*/", "*&#47;")
}
