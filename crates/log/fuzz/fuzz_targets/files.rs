//! Segments and indexes of any bytes, with checksums believed or not.
//!
//! The first byte decides whether checksums are compared; then come pieces of a length in two bytes. The
//! frames of the first segment, its index, a second segment, and its index are taken from them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_fault::FaultDisk;
use tidegate_log::mutant::{Mutant, build_in};
use tidegate_log_fuzz::{exercise, whole};

fn piece<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let Some((length, after)) = rest.split_first_chunk::<2>() else {
        return std::mem::take(rest);
    };
    let length = usize::from(u16::from_le_bytes(*length)).min(after.len());
    let (piece, after) = after.split_at(length);
    *rest = after;
    piece
}

fuzz_target!(|input: &[u8]| {
    let Some((flags, mut rest)) = input.split_first() else {
        return;
    };
    let believed = flags & 1 == 0;
    let disk = FaultDisk::new(7);
    let model = whole();
    let segments = model.names(".seg");
    // A header that is whole lets the frames be looked at.
    for (bit, name) in [(1, segments.first()), (2, segments.last())] {
        let Some(name) = name else {
            continue;
        };
        let mut bytes = match flags >> bit & 1 {
            0 => model.bytes(name)[..1_024].to_vec(),
            _ => Vec::new(),
        };
        bytes.extend_from_slice(piece(&mut rest));
        disk.put(name, &bytes);
        let index = name.replace(".seg", ".idx");
        let head = model.names(&index).first().map(|name| model.bytes(name));
        let mut bytes = match head.filter(|_| flags >> 3 & 1 == 0) {
            Some(head) => head[..72].to_vec(),
            None => Vec::new(),
        };
        bytes.extend_from_slice(piece(&mut rest));
        disk.put(&index, &bytes);
    }
    build_in((!believed).then_some(Mutant::NoChecksum));
    exercise(&disk);
    build_in(None);
});
