//! A JSON Schema compiles or is refused, and judges events.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_fuzz::parts;
use tidegate_schema::Compiled;

fuzz_target!(|data: &[u8]| {
    let Some(parts) = parts(data) else { return };
    let Some((schema, events)) = parts.split_first() else {
        return;
    };
    match Compiled::json_schema(schema) {
        Ok(compiled) => {
            for event in events.iter().take(4) {
                if let Ok(event) = serde_json::from_str(event) {
                    let _ = compiled.validate(&event);
                }
            }
            // A schema is an event too, and one that its own words fit.
            if let Ok(event) = serde_json::from_str(schema) {
                let _ = compiled.validate(&event);
            }
            for name in compiled.declared_fields() {
                let _ = (compiled.declares(&name), compiled.requires(&name));
            }
            let _ = compiled.required_fields();
        }
        Err(error) => {
            let _ = (
                error.to_string(),
                tidegate_schema::locate(schema, error.pointer().unwrap_or_default()),
            );
        }
    }
});
