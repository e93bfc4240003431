//! Endpoints that deliveries are pushed to.

use std::collections::HashMap;

use tidegate_base::format_duration;
use tidegate_model::Severity;
use tidegate_model::design::ConsumerRef;

use crate::codes::{ENDPOINT_CONFLICT, PLAIN_HTTP};
use crate::draft::Findings;
use crate::index::Index;

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    let mut first_of: HashMap<&str, ConsumerRef<'_>> = HashMap::new();
    for consumer in &index.consumers {
        let Some(to) = &consumer.consume.deliver.to else {
            continue;
        };
        if is_plain_and_remote(&to.value) {
            let message = format!("events go to `{}` in plain text", to.value);
            let path = format!("{}.deliver.to", consumer.path());
            out.add(PLAIN_HTTP, &to.place, path, message)
                .hint("write `https://`, or deliver to a proxy on this machine that encrypts");
        }
        match first_of.get(to.value.as_str()) {
            Some(first) => conflict(first, consumer, out),
            None => {
                first_of.insert(&to.value, *consumer);
            }
        }
    }
}

/// One endpoint has one timeout and one bulkhead, whatever arrives there.
fn conflict(first: &ConsumerRef<'_>, second: &ConsumerRef<'_>, out: &mut Findings) {
    let (a, b) = (&first.consume.deliver, &second.consume.deliver);
    if a.timeout.value == b.timeout.value && a.concurrency.value == b.concurrency.value {
        return;
    }
    let url = b.to.as_ref().map_or("", |to| to.value.as_str());
    let message = format!(
        "`{url}` gets {} deliveries at a time with timeout {} from `{}`, and {} with timeout {} \
         from `{}`",
        a.concurrency.value,
        format_duration(a.timeout.value),
        first.id(),
        b.concurrency.value,
        format_duration(b.timeout.value),
        second.id(),
    );
    let place = b.to.as_ref().map_or(&b.place, |to| &to.place);
    let draft = out
        .add(
            ENDPOINT_CONFLICT,
            place,
            format!("{}.deliver", second.path()),
            message,
        )
        .hint("give both the same limits, or each an endpoint of its own")
        .related(&a.place, format!("`{}`", first.id()));
    // Within one service, limits per event can be meant.
    if first.service_name == second.service_name {
        draft.weighing(Severity::Note);
    }
}

/// Whether a URL is `http://` to another machine: not `localhost`, `127.0.0.0/8` or `[::1]`.
fn is_plain_and_remote(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    if !scheme.eq_ignore_ascii_case("http") {
        return false;
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let host = host.to_ascii_lowercase();
    let local_name = host == "localhost" || host.ends_with(".localhost");
    let loopback = host
        .parse::<std::net::IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    !(local_name || loopback)
}

#[cfg(test)]
mod tests {
    use super::is_plain_and_remote;

    #[test]
    fn only_plain_text_to_another_machine_is_meant() {
        let local = [
            "http://localhost:9001/events",
            "http://LOCALHOST/",
            "http://billing.localhost:80",
            "http://127.0.0.1:9001/events",
            "http://127.9.9.9",
            "http://[::1]:9001/events",
            "http://user@localhost/x",
            "https://billing.example/events",
        ];
        assert!(!local.into_iter().any(is_plain_and_remote));
        let remote = [
            "http://billing.example/events",
            "HTTP://10.0.0.7:80",
            "http://localhost.example.com/",
            "http://localhost@evil.example/",
            "http://[2001:db8::1]/",
            "http://127.0.0.1.example.com/",
        ];
        assert!(remote.into_iter().all(is_plain_and_remote));
    }
}
