//! Writes the inputs that the corpora start from: `cargo run --example seeds`.

use std::fs;

use tidegate_log_fuzz::whole;

fn main() {
    let disk = whole();
    let piece = |bytes: &[u8]| {
        let length = u16::try_from(bytes.len()).expect("a small piece");
        [&length.to_le_bytes(), bytes].concat()
    };
    let segments = disk.names(".seg");
    let (first, last) = (&segments[0], &segments[segments.len() - 1]);
    let index = disk.bytes(&first.replace(".seg", ".idx"));
    let pieces = [
        piece(&disk.bytes(first)[1_024..]),
        piece(&index[72..]),
        piece(&disk.bytes(last)[1_024..]),
        piece(&[]),
    ]
    .concat();
    for flags in 0..4_u8 {
        let folder = "corpus/files";
        fs::create_dir_all(folder).expect("a folder");
        let input = [&[flags], pieces.as_slice()].concat();
        fs::write(format!("{folder}/seed-{flags}"), input).expect("a file");
    }
    fs::create_dir_all("corpus/edits").expect("a folder");
    for what in 0..6_u8 {
        let edits = [[1, 100, 4, what, 7, 30], [3, 10, 0, what, 255, 9]].concat();
        fs::write(format!("corpus/edits/seed-{what}"), edits).expect("a file");
    }
}
