//! A whole log that is edited: nothing that was never written is read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_log_fuzz::{exercise, whole};

fuzz_target!(|input: &[u8]| {
    let disk = whole();
    for edit in input.chunks_exact(6).take(40) {
        let names = disk.names("");
        if names.is_empty() {
            break;
        }
        let name = &names[usize::from(edit[0]) % names.len()];
        let at = usize::from(u16::from_le_bytes([edit[1], edit[2]]));
        let (what, with) = (edit[3], edit[4]);
        let count = usize::from(edit[5]);
        disk.damage(name, |bytes| {
            if bytes.is_empty() {
                return;
            }
            let at = at % bytes.len();
            let end = (at + count).min(bytes.len());
            match what % 6 {
                0 => bytes[at] ^= with,
                1 => bytes[at] = with,
                2 => bytes.truncate(at),
                3 => bytes[at..end].fill(with),
                4 => drop(bytes.drain(at..end)),
                _ => {
                    let room = bytes.len() - (end - at);
                    bytes.copy_within(at..end, usize::from(with) % (room + 1));
                }
            }
        });
    }
    let written = |text: &str| {
        let number = text.split_once(' ').map(|(number, _)| number.parse::<u64>());
        matches!(number, Some(Ok(0..20 | 100))) && text.ends_with(&"x".repeat(60))
    };
    for payload in exercise(&disk) {
        let text = std::str::from_utf8(&payload).expect("what was written is text");
        assert!(written(text), "{text:?} was never written");
    }
});
