//! A CloudEvent: what is read is written and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_base::Envelope;

fuzz_target!(|data: &[u8]| {
    if let Ok(envelope) = Envelope::from_json(data) {
        let written = envelope.to_value();
        let again = Envelope::from_value(written.clone()).expect("what was written is read");
        assert_eq!(again.to_value(), written);
        let attributes = envelope
            .attributes()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let other = Envelope::from_attributes(attributes, envelope.data.clone());
        assert_eq!(other.validate(), Ok(()));
        assert_eq!(other.to_value(), written);
    }
    // As headers and a body.
    if let Some((head, body)) = data
        .iter()
        .position(|b| *b == 0)
        .map(|at| data.split_at(at))
        && let Ok(head) = std::str::from_utf8(head)
    {
        let attributes = head.lines().filter_map(|line| line.split_once(':'));
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let envelope =
            Envelope::from_attributes(attributes, Some(bytes::Bytes::copy_from_slice(body)));
        if envelope.validate().is_ok() {
            let _ = (
                envelope.is_json(),
                envelope.data_json(),
                envelope.to_value(),
            );
        }
    }
});
