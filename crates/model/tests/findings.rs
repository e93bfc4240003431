//! What the reader says: designs in, findings out.

mod shown;

use shown::{findings, read};

const HEAD: &str = "tidegate: 1\nsystem: shop\n";

fn said(body: &str) -> String {
    findings(&[("design.yaml", &format!("{HEAD}{body}"))])
}

#[test]
fn the_header_is_required_once() {
    insta::assert_snapshot!(findings(&[("design.yaml", "")]), @r#"
E0103 design.yaml:1:1+1 tidegate: field `tidegate` is missing | write `tidegate: 1`
E0103 design.yaml:1:1+1 system: field `system` is missing | write `system: checkout`
"#);
    insta::assert_snapshot!(findings(&[("a.yaml", HEAD), ("b.yaml", "events: {A: {}}")]), @"");
    insta::assert_snapshot!(findings(&[("a.yaml", HEAD), ("b.yaml", HEAD)]), @"");
    insta::assert_snapshot!(findings(&[("a.yaml", HEAD), ("b.yaml", "tidegate: 1\nsystem: bank\n")]), @"E0108 b.yaml:2:1+6 system: `system` is written in two files | the first one counts; merge the two, or rename one [first written here: a.yaml:2:1]");
    insta::assert_snapshot!(findings(&[]), @r#"
E0103 design.yaml:1:1+1 tidegate: field `tidegate` is missing | write `tidegate: 1`
E0103 design.yaml:1:1+1 system: field `system` is missing | write `system: checkout`
"#);
}

#[test]
fn versions() {
    insta::assert_snapshot!(findings(&[("d.yaml", "tidegate: 2\nsistem: shop\n")]), @"E0109 d.yaml:1:11+1 tidegate: version 2 of the design language is not supported | this program reads version 1: write `tidegate: 1`");
    insta::assert_snapshot!(findings(&[("d.yaml", "tidegate: 1.0\nsystem: shop\n")]), @"E0104 d.yaml:1:11+3 tidegate: the version is a whole number, not `1.0` | write `tidegate: 1`, without quotes or point");
    insta::assert_snapshot!(findings(&[("d.yaml", "tidegate: \"1\"\nsystem: shop\n")]), @"E0104 d.yaml:1:11+3 tidegate: the version is a whole number, not `1` | write `tidegate: 1`, without quotes or point");
    insta::assert_snapshot!(findings(&[("d.yaml", "tidegate: v1\nsystem: shop\n")]), @"E0104 d.yaml:1:11+2 tidegate: the version is a whole number, not `v1` | write `tidegate: 1`, without quotes or point");
    insta::assert_snapshot!(findings(&[("d.yaml", "tidegate:\nsystem: shop\n")]), @"E0104 d.yaml:1:1+8 tidegate: the version of the design language is expected here, not nothing | write `tidegate: 1`");
}

#[test]
fn syntax_errors_of_every_file_are_reported() {
    let files = [
        ("a.yaml", "tidegate: 1\nsystem: a: b\n"),
        ("b.yaml", "events:\n\tA: {}\n"),
        ("c.yaml", "events: [A, B\n"),
        ("d.yaml", "services: {a: *b}\n"),
        ("e.yaml", "services: {a: {summary: \"x}}\n"),
        ("f.yaml", "services: {a: {summary: @x}}\n"),
        ("g.yaml", "services:\n  a: {}\n b: {}\n"),
        ("h.yaml", "services:\n  a: {}\n  b\n"),
        ("i.yaml", "services: {a: {sumary: x}}\n"),
    ];
    insta::assert_snapshot!(findings(&files), @r#"
E0101 a.yaml:2:10+1 : mapping values are not allowed in this context | a text that holds `: ` goes into quotes; otherwise check the indentation of this line
E0101 b.yaml:2:2+1 events: tabs disallowed within this context (block indentation) | indent with spaces, not tabs
E0101 c.yaml:2:1+1 events: while parsing a flow sequence, expected ',' or ']' | close the `[` with `]`, and separate the items with `,`
E0101 d.yaml:1:15+1 services.a: while parsing node, found unknown anchor | a text that starts with `*` goes into quotes
E0101 e.yaml:1:25+1 services.a.summary: while scanning a quoted scalar, found unexpected end of stream | close the quote
E0101 f.yaml:1:25+1 services.a.summary: unexpected character: `@' | a text that starts with this character goes into quotes
E0101 g.yaml:3:2+1 : while parsing a block mapping, did not find expected key | check that the indentation fits the lines above
E0101 h.yaml:4:1+1 services: simple key expect ':'
E0102 i.yaml:1:16+6 services.a.sumary: unknown field `sumary` | did you mean `summary`?
"#);
    assert!(read(&files).design.is_none());
}

#[test]
fn refused_yaml() {
    insta::assert_snapshot!(said("events: &all\n  A: &x {summary: a}\n  B: *x\n  C: {<<: *x, owner: !!str me}\n"), @r#"
E0110 design.yaml:3:9+1 events: anchors are not allowed | remove the `&name`; a text that starts with `&` goes into quotes
E0110 design.yaml:4:6+4 events.A: anchors are not allowed | remove the `&name`; a text that starts with `&` goes into quotes
E0110 design.yaml:5:6+2 events.B: aliases are not allowed | write the value out, or share a default by leaving the field out
E0102 design.yaml:6:7+2 events.C.<<: unknown field `<<` | the fields of event are `type`, `summary`, `owner`, `schema`, `version`, `versions`, `rules`, `key`, `compatibility`, `retention`, `retention-size`, `cleanup-policy`, `backlog`, `targets`
E0110 design.yaml:6:11+2 events.C.<<: aliases are not allowed | write the value out, or share a default by leaving the field out
E0110 design.yaml:6:22+8 events.C.owner: tags are not allowed | remove the `!name`; a text that starts with `!` goes into quotes
"#);
    insta::assert_snapshot!(said("---\nevents: {}\n"), @"E0110 design.yaml:3:1+3 : a second YAML document starts here | one file holds one document: remove `---`, or move the rest to its own file");
    let deep = format!(
        "{HEAD}events: {{A: {{schema: {}{}}}}}",
        "{a: ".repeat(70),
        "}".repeat(70)
    );
    insta::assert_snapshot!(findings(&[("d.yaml", &deep)]), @"E0110 d.yaml:3:266+1 events.A.schema.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a: nested deeper than 64 levels");
}

#[test]
fn unknown_fields_say_where_to_go() {
    insta::assert_snapshot!(said("
evnts: {}
events:
  OrderPlaced: {sumary: x, summary: y, keys: /id, colour: red}
services:
  billing:
    publish: [A]
    consumes:
      OrderPlaced: {timeout: 3s, attempts: 4, deadLetter: {}, deliver: {handler_time: 2ms}}
"), @r#"
E0102 design.yaml:4:1+5 evnts: unknown field `evnts` | `events` is already there: remove this one
E0102 design.yaml:6:17+6 events.OrderPlaced.sumary: unknown field `sumary` | `summary` is already there: remove this one
E0115 design.yaml:6:37+1 events.OrderPlaced.summary: `y` without quotes is true or false to some YAML readers; here it is a text | write `"y"`
E0102 design.yaml:6:40+4 events.OrderPlaced.keys: unknown field `keys` | did you mean `key`?
E0102 design.yaml:6:51+6 events.OrderPlaced.colour: unknown field `colour` | the fields of event are `type`, `summary`, `owner`, `schema`, `version`, `versions`, `rules`, `key`, `compatibility`, `retention`, `retention-size`, `cleanup-policy`, `backlog`, `targets`
E0102 design.yaml:9:5+7 services.billing.publish: unknown field `publish` | did you mean `publishes`?
E0102 design.yaml:11:21+7 services.billing.consumes.OrderPlaced.timeout: unknown field `timeout` | `timeout` goes into `deliver`
E0102 design.yaml:11:34+8 services.billing.consumes.OrderPlaced.attempts: unknown field `attempts` | `attempts` goes into `retry`
E0102 design.yaml:11:47+10 services.billing.consumes.OrderPlaced.deadLetter: unknown field `deadLetter` | did you mean `dead-letter`?
E0102 design.yaml:11:73+12 services.billing.consumes.OrderPlaced.deliver.handler_time: unknown field `handler_time` | did you mean `handler-time`?
"#);
}

#[test]
fn wrong_types() {
    insta::assert_snapshot!(said("
processes: [checkout]
events:
  - name: OrderPlaced
services:
  orders: yes please
  billing:
    publishes: OrderPlaced
    consumes: [OrderPlaced, InvoiceSent]
  shipping:
    publishes:
    owner:
    summary: {a: b}
    consumes: 3
  audit:
    publishes: {A: {}}
    consumes: {A: [x], [b]: c}
dependencies: none
messaging: {weights: [1], broker: [kafka]}
"), @r#"
E0104 design.yaml:4:1+9 processes: a mapping of names is expected here, not a list | write each as `Name:` with its fields indented below, or `Name: {}`
E0104 design.yaml:5:1+6 events: a mapping of names is expected here, not a list | write each as `Name:` with its fields indented below, or `Name: {}`
E0104 design.yaml:8:3+6 services.orders: a mapping of fields is expected here, not `yes please` | write each as `name: value`, indented below, or `{}` for none
E0104 design.yaml:10:16+11 services.billing.publishes: a list is expected here, not one value | write `[OrderPlaced]`
E0104 design.yaml:11:5+8 services.billing.consumes: a mapping of names is expected here, not a list | write each as `Name:` with its fields indented below, or `Name: {}`
E0104 design.yaml:13:5+9 services.shipping.publishes: a list is expected here, not nothing | write `[]` for none, `[first, second]` for some
E0104 design.yaml:14:5+5 services.shipping.owner: a text is expected here, not nothing | write a text, in quotes where it has `: ` or ` #`, or remove the field
E0104 design.yaml:15:5+7 services.shipping.summary: a text is expected here, not a mapping | write a text, in quotes where it has `: ` or ` #`
E0104 design.yaml:16:5+8 services.shipping.consumes: a mapping of names is expected here, not `3` | write each as `name: value`, indented below, or `{}` for none
E0104 design.yaml:18:5+9 services.audit.publishes: a list is expected here, not a mapping | write `[]` for none, `[first, second]` for some
E0104 design.yaml:19:16+1 services.audit.consumes.A: a mapping of fields is expected here, not a list | write each as `name: value`, indented below, or `{}` for none
E0104 design.yaml:19:24+1 services.audit.consumes: a key is a list or a mapping | a key is a text; after `{` and `[`, quotes make a text
E0104 design.yaml:20:1+12 dependencies: a mapping of names is expected here, not `none` | write each as `name: value`, indented below, or `{}` for none
E0104 design.yaml:21:13+7 messaging.weights: a mapping of names is expected here, not a list | write each as `name: value`, indented below, or `{}` for none
E0104 design.yaml:21:27+6 messaging.broker: a word is expected here, not a list | write one of `embedded`, `kafka`, `rabbitmq`, `nats`
"#);
}

#[test]
fn quantities() {
    insta::assert_snapshot!(said("
events:
  A: {retention: 7, targets: {rate: 2000, peak: fast, p99: 250 ms, size: 64kb}}
  B: {retention: 7 days, targets: {rate: 5/s, p99: 1e3, size: 300}}
  C: {retention: 1 month, targets: {p99: \" 5s\", rate: -1/s, size: [1]}}
  D: {retention: 0s, targets: {p99: PT5S, rate: 10/s, peak: 5/s}}
dependencies:
  a: {breaker: {failure-rate: 50, minimum: 1e3, window: 5 min, open: 5sec}}
  b: {breaker: {failure-rate: 0%, minimum: 010, probes: \"2\"}}
  c: {breaker: {failure-rate: 150%, minimum: 1_000, probes: 0}}
  d: {breaker: {failure-rate: 0.5, minimum: 0x10, probes: 2.5}}
"), @r#"
E0105 design.yaml:5:18+1 events.A.retention: `7` is not a duration | add the unit: `7s`, `7ms`, `7m`
E0105 design.yaml:5:37+4 events.A.targets.rate: `2000` is not a rate | say in which time: `2000/s`
E0105 design.yaml:5:49+4 events.A.targets.peak: `fast` is not a rate | write a number of events in a time, such as `2000/s`, `1.5k/s`, `90/m`
E0105 design.yaml:5:74+4 events.A.targets.size: `64kb` is not a size in bytes | write a number of bytes, such as `300`, `64KiB`, `1MB`; units are written like that
E0105 design.yaml:6:18+6 events.B.retention: `7 days` is not a duration | write `7d`
E0105 design.yaml:6:52+3 events.B.targets.p99: `1e3` is not a duration | write a number and one of `ns us ms s m h d w`, such as `250ms`, `30s`, `7d`
E0105 design.yaml:7:18+7 events.C.retention: `1 month` is not a duration | months and years differ in length: write days, such as `30d`
E0105 design.yaml:7:42+5 events.C.targets.p99: ` 5s` is not a duration | write a number and one of `ns us ms s m h d w`, such as `250ms`, `30s`, `7d`
E0105 design.yaml:7:55+4 events.C.targets.rate: `-1/s` is not a rate | write a number of events in a time, such as `2000/s`, `1.5k/s`, `90/m`
E0104 design.yaml:7:61+4 events.C.targets.size: a size in bytes is expected here, not a list | write a number of bytes, such as `300`, `64KiB`, `1MB`; units are written like that
E0113 design.yaml:8:18+2 events.D.retention: `0s` is not longer than zero | write a duration, such as `1s`
E0113 design.yaml:8:22+7 events.D.targets.peak: peak 5/s is below the usual rate 10/s | the peak is the highest rate: raise it, or leave it out
E0105 design.yaml:8:37+4 events.D.targets.p99: `PT5S` is not a duration | write a number and one of `ns us ms s m h d w`, such as `250ms`, `30s`, `7d`
E0105 design.yaml:10:31+2 dependencies.a.breaker.failure-rate: `50` is not a share between 0% and 100% | write `50%`
E0104 design.yaml:10:44+3 dependencies.a.breaker.minimum: a whole number is expected here, not `1e3` | write `1000`
E0105 design.yaml:10:70+4 dependencies.a.breaker.open: `5sec` is not a duration | write `5s`
E0113 design.yaml:11:31+2 dependencies.b.breaker.failure-rate: `0%` is not more than zero | write a share above `0%`, up to `100%`
E0104 design.yaml:11:44+3 dependencies.b.breaker.minimum: a whole number is expected here, not `010` | some YAML readers take it as another number: write `10`
E0104 design.yaml:11:57+3 dependencies.b.breaker.probes: a whole number is expected here, not `2` | write `2` without quotes
E0105 design.yaml:12:31+4 dependencies.c.breaker.failure-rate: `150%` is not a share between 0% and 100% | write `20%` or `0.2`; the most is `100%`
E0104 design.yaml:12:46+5 dependencies.c.breaker.minimum: a whole number is expected here, not `1_000` | write `1000`
E0113 design.yaml:12:61+1 dependencies.c.breaker.probes: 0 is not from 1 to 1024 | write a whole number from 1 to 1024
E0104 design.yaml:13:45+4 dependencies.d.breaker.minimum: a whole number is expected here, not `0x10` | some YAML readers take it as another number: write `16`
E0104 design.yaml:13:59+3 dependencies.d.breaker.probes: a whole number is expected here, not `2.5` | write a whole number from 1 to 1024
"#);
}

#[test]
fn out_of_range() {
    insta::assert_snapshot!(said("
services:
  a:
    consumes:
      A:
        deliver: {concurrency: 0, timeout: 0ms}
        retry: {initial: 1m, attempts: 0, budget: 0%}
      B:
        deliver: {concurrency: 5000}
        retry: {attempts: 99999999999, initial: 2s, max: 1s}
        objective: 0s
  b: {owner: '', summary: ' ', consumes: {A: {deliver: {concurrency: -3}, dead-letter: {owner: \"a\\nb\"}}}}
messaging: {weights: {cost: -1, latency: .inf, '': 2, fun: much}}
"), @r#"
E0113 design.yaml:8:32+1 services.a.consumes.A.deliver.concurrency: 0 is not from 1 to 1024 | write a whole number from 1 to 1024
E0113 design.yaml:8:44+3 services.a.consumes.A.deliver.timeout: `0ms` is not longer than zero | write a duration, such as `1s`
E0113 design.yaml:9:26+2 services.a.consumes.A.retry.initial: the first delay, 1m, is longer than the longest, 30s | raise `max`, or lower `initial`
E0113 design.yaml:9:40+1 services.a.consumes.A.retry.attempts: 0 is not from 1 to 1000000 | write a whole number from 1 to 1000000
E0113 design.yaml:11:32+4 services.a.consumes.B.deliver.concurrency: 5000 is not from 1 to 1024 | write a whole number from 1 to 1024
E0113 design.yaml:12:27+11 services.a.consumes.B.retry.attempts: 99999999999 is not from 1 to 1000000 | write a whole number from 1 to 1000000
E0113 design.yaml:12:49+2 services.a.consumes.B.retry.initial: the first delay, 2s, is longer than the longest, 1s | raise `max`, or lower `initial`
E0113 design.yaml:13:20+2 services.a.consumes.B.objective: `0s` is not longer than zero | write a duration, such as `1s`
E0113 design.yaml:14:14+2 services.b.owner: the text is empty | write a text, or remove the field
E0113 design.yaml:14:27+3 services.b.summary: the text is empty | write a text, or remove the field
E0113 design.yaml:14:70+2 services.b.consumes.A.deliver.concurrency: -3 is not from 1 to 1024 | write a whole number from 1 to 1024
E0113 design.yaml:14:96+6 services.b.consumes.A.dead-letter.owner: `a\nb` has a line break or control character | write it on one line
E0113 design.yaml:15:23+4 messaging.weights.cost: weight `-1` is not a number from 0 on | write `0` for a criterion that does not matter
E0113 design.yaml:15:33+7 messaging.weights.latency: weight `.inf` is not a number from 0 on | write `0` for a criterion that does not matter
E0113 design.yaml:15:48+2 messaging.weights.: the name of a criterion is empty
E0104 design.yaml:15:55+3 messaging.weights.fun: a number is expected here, not `much` | write a number, such as `2` or `0.5`
"#);
}

#[test]
fn classes_of_failures() {
    insta::assert_snapshot!(said("
services:
  a:
    consumes:
      A:
        retry: {classes: {time-out: park, unavaliable: retry, crash: park, overload: hold, timeout: 3}}
      B:
        retry: {classes: {timeout: {attempts: 0, delay: 1s}, unavailable: {then: park, attempts: 3}}}
      C:
        retry: {initial: 2s, classes: {timeout: {max: 1s}, permanent: {initial: 1m}, overload: {initial: 1m, max: 2m}}}
"), @r#"
E0102 design.yaml:8:27+8 services.a.consumes.A.retry.classes.time-out: unknown field `time-out` | `timeout` is already there: remove this one
E0102 design.yaml:8:43+11 services.a.consumes.A.retry.classes.unavaliable: unknown field `unavaliable` | did you mean `unavailable`?
E0102 design.yaml:8:63+5 services.a.consumes.A.retry.classes.crash: unknown field `crash` | the fields of classes are `retryable`, `unavailable`, `timeout`, `overload`, `permanent`, `endpoint-fault`
E0106 design.yaml:8:86+4 services.a.consumes.A.retry.classes.overload: `hold` is not one of `retry`, `park`
E0106 design.yaml:8:101+1 services.a.consumes.A.retry.classes.timeout: `3` is not one of `retry`, `park`
E0113 design.yaml:10:47+1 services.a.consumes.B.retry.classes.timeout.attempts: 0 is not from 1 to 1000000 | write a whole number from 1 to 1000000
E0102 design.yaml:10:50+5 services.a.consumes.B.retry.classes.timeout.delay: unknown field `delay` | the fields of class are `then`, `backoff`, `immediate`, `initial`, `max`, `jitter`, `attempts`
E0106 design.yaml:10:82+4 services.a.consumes.B.retry.classes.unavailable.then: `unavailable` is parked, and says how it is retried | write `park` alone, or leave `then` out
E0113 design.yaml:12:55+2 services.a.consumes.C.retry.classes.timeout.max: the first delay after `timeout`, 2s, is longer than the longest, 1s | raise `max`, or lower `initial`
E0113 design.yaml:12:81+2 services.a.consumes.C.retry.classes.permanent.initial: the first delay after `permanent`, 1m, is longer than the longest, 30s | raise `max`, or lower `initial`
"#);
}

#[test]
fn words() {
    insta::assert_snapshot!(said("
processes: {p: {criticality: highest}}
events: {A: {compatibility: BACKWARD, key: /id}}
services:
  a:
    consumes:
      A:
        order: no
        guarantee: exactly-once
        retry: {backoff: expontential, jitter: false, mode: ~}
        deliver: {transaction: mysql}
        dead-letter: {followers: 3}
messaging: {broker: rabbit, clouds: [aws, on-prem]}
"), @r#"
E0106 design.yaml:4:30+7 processes.p.criticality: `highest` is not one of `low`, `medium`, `high` | did you mean `high`?
E0106 design.yaml:5:29+8 events.A.compatibility: `BACKWARD` is not one of `none`, `backward`, `backward-transitive`, `forward`, `forward-transitive`, `full`, `full-transitive` | did you mean `backward`?
E0106 design.yaml:10:16+2 services.a.consumes.A.order: `no` is not one of `none`, `key`, `total` | write `none`
E0106 design.yaml:11:20+12 services.a.consumes.A.guarantee: `exactly-once` is not one of `at-least-once`, `deduplicated`, `exactly-once-effect`, `kafka-transaction` | did you mean `exactly-once-effect`?
E0106 design.yaml:12:26+12 services.a.consumes.A.retry.backoff: `expontential` is not one of `constant`, `linear`, `exponential` | did you mean `exponential`?
E0106 design.yaml:12:48+5 services.a.consumes.A.retry.jitter: `false` is not one of `none`, `full`, `equal`, `decorrelated` | write `none`
E0104 design.yaml:12:61+1 services.a.consumes.A.retry.mode: a word is expected here, not nothing | write one of `blocking`, `non-blocking`, or remove the field
E0106 design.yaml:13:32+5 services.a.consumes.A.deliver.transaction: `mysql` is not one of `postgres`, `sqlite`, `log`, `kafka`
E0106 design.yaml:14:34+1 services.a.consumes.A.dead-letter.followers: `3` is not one of `wait`, `continue`
E0106 design.yaml:15:21+6 messaging.broker: `rabbit` is not one of `embedded`, `kafka`, `rabbitmq`, `nats` | did you mean `rabbitmq`?
E0106 design.yaml:15:43+7 messaging.clouds[1]: `on-prem` is not one of `self-hosted`, `aws`, `gcp`, `azure`
"#);
}

#[test]
fn names_and_duplicates() {
    insta::assert_snapshot!(findings(&[
        ("a.yaml", "tidegate: 1\nsystem: my shop\nevents:\n  Order Placed: {}\n  A: {}\n  A: {}\n  no: {}\n  123: {}\n  '': {}\nservices:\n  a: {publishes: [A, B, A, 7, no, \u{e9}v]}\n"),
        ("b/b.yaml", "events:\n  A: {owner: x}\n  B: {}\nservices: {a: {}}\nevents: {}\n"),
    ]), @r#"
E0107 a.yaml:2:9+7 system: name `my shop` has the character ' '; letters, digits, `.`, `_`, `-` are allowed | `my-shop` is a name
E0107 a.yaml:4:3+12 events.Order Placed: name `Order Placed` has the character ' '; letters, digits, `.`, `_`, `-` are allowed | `Order-Placed` is a name
E0108 a.yaml:6:3+1 events.A: `A` is written twice | the first one counts; merge the two, or rename one [first written here: a.yaml:5:3]
E0115 a.yaml:7:3+2 events.no: `no` without quotes is true or false to some YAML readers; here it is a text | write `"no"`
E0107 a.yaml:9:3+2 events.: the name is empty
E0108 a.yaml:11:25+1 services.a.publishes[2]: `A` is in the list twice | remove one [also written here: a.yaml:11:19]
E0104 a.yaml:11:28+1 services.a.publishes[3]: `7` without quotes is a number, where a text is expected | write `"7"`
E0115 a.yaml:11:31+2 services.a.publishes[4]: `no` without quotes is true or false to some YAML readers; here it is a text | write `"no"`
E0107 a.yaml:11:35+2 services.a.publishes[5]: name `év` has the character 'é'; letters, digits, `.`, `_`, `-` are allowed
E0108 b/b.yaml:2:3+1 events.A: `A` is written in two files | the first one counts; merge the two, or rename one [first written here: a.yaml:5:3]
E0108 b/b.yaml:4:12+1 services.a: `a` is written in two files | the first one counts; merge the two, or rename one [first written here: a.yaml:11:3]
E0108 b/b.yaml:5:1+6 events: `events` is written twice | the first one counts; merge the two, or rename one [first written here: b/b.yaml:1:1]
"#);
}

#[test]
fn keys_and_required_fields() {
    insta::assert_snapshot!(said("
events:
  A: {key: orderId}
  B: {key: $.order.id}
  C: {key: /a~b}
  D: {key: ''}
  E: {key: /a/b~1c}
services:
  a: {consumes: {A: {requires: [orderId, /x/y, /x~, '', 12, orderId]}}}
"), @r#"
E0114 design.yaml:5:12+7 events.A.key: `orderId` is not a JSON pointer: it does not start with `/` | write `/orderId`
E0114 design.yaml:6:12+10 events.B.key: `$.order.id` is not a JSON pointer: it does not start with `/` | write `/order/id`
E0114 design.yaml:7:12+4 events.C.key: `/a~b` is not a JSON pointer: `~` is written `~0` and `/` within a name `~1`; another `~` is not allowed | write a JSON pointer, such as `/orderId`
E0114 design.yaml:8:12+2 events.D.key: `` is not a JSON pointer: it is empty, which would mean the whole payload | write a JSON pointer, such as `/orderId`
E0114 design.yaml:11:48+3 services.a.consumes.A.requires[2]: `/x~` is not a JSON pointer: `~` is written `~0` and `/` within a name `~1`; another `~` is not allowed
E0113 design.yaml:11:53+2 services.a.consumes.A.requires[3]: the text is empty | write a text, or remove the field
E0104 design.yaml:11:57+2 services.a.consumes.A.requires[4]: `12` without quotes is a number, where a text is expected | write `"12"`
E0108 design.yaml:11:61+7 services.a.consumes.A.requires[5]: `orderId` is in the list twice | remove one [also written here: design.yaml:11:33]
"#);
}

#[test]
fn endpoints() {
    insta::assert_snapshot!(said("
services:
  a:
    consumes:
      A: {deliver: {to: localhost:9001}}
      B: {deliver: {to: https://user:hunter2@example.com/}}
      C: {deliver: {to: amqp://user:hunter2@example.com/}}
      D: {deliver: {to: 'http://a b/'}}
      E: {deliver: {to: http://}}
      F: {deliver: {to: 9001}}
"), @r#"
E0112 design.yaml:7:25+14 services.a.consumes.A.deliver.to: the URL does not start with `http://` or `https://` | write `http://localhost:9001`
E0112 design.yaml:8:25+33 services.a.consumes.B.deliver.to: the URL holds a user or password | remove what stands before `@`: a design holds no secrets
E0112 design.yaml:9:25+32 services.a.consumes.C.deliver.to: the URL does not start with `http://` or `https://` | deliveries are HTTP requests: write `http://…` instead of `amqp://…`
E0112 design.yaml:10:25+13 services.a.consumes.D.deliver.to: `http://a b/` has the character ' ', which a URL cannot have | write a URL, such as `http://localhost:9001/events`
E0112 design.yaml:11:25+7 services.a.consumes.E.deliver.to: `http://` has no valid host | write a URL, such as `http://localhost:9001/events`
E0112 design.yaml:12:25+4 services.a.consumes.F.deliver.to: the URL does not start with `http://` or `https://` | write `http://9001`
"#);
}

#[test]
fn schemas() {
    insta::assert_snapshot!(said("
events:
  A: {schema: /etc/passwd}
  B: {schema: https://example.com/a.json}
  C: {schema: order.proto}
  D: {schema: order.xsd}
  E: {schema: missing.json}
  F: {schema: 'a.json#/definitions/x'}
  G: {schema: 'C:\\\\x.json'}
  H: {schema: [a]}
  I: {schema: }
  J: {schema: bad.yaml}
  K: {schema: ../good.yaml}
  L: {schema: 'order.proto#shop.Order'}
"), @r#"
E0101 bad.yaml:1:13+1 : mapping values are not allowed in this context | a text that holds `: ` goes into quotes; otherwise check the indentation of this line
E0111 design.yaml:5:15+11 events.A.schema: schema path `/etc/passwd` is absolute | write a path relative to this file, such as `schemas/order-placed.json`
E0111 design.yaml:6:15+26 events.B.schema: schema path `https://example.com/a.json` is a URL; schemas are read from files only | write a path relative to this file, such as `schemas/order-placed.json`
E0111 design.yaml:7:15+11 events.C.schema: schema path `order.proto` does not name the message | write `order.proto#MessageName`
E0111 design.yaml:8:15+9 events.D.schema: schema path `order.xsd` does not say the format of the schema by its ending | JSON Schema is `.json` or `.yaml`, Avro `.avsc`, Protobuf `.proto#MessageName`
E0111 design.yaml:9:15+12 events.E.schema: schema file `missing.json` cannot be read: no such file | the path is relative to the folder of the file that names it
E0111 design.yaml:10:15+23 events.F.schema: schema path `a.json#/definitions/x` has a `#`, which only `.proto` files take | write `a.json`
E0111 design.yaml:11:15+12 events.G.schema: schema path `C:\\x.json` is absolute | write a path relative to this file, such as `schemas/order-placed.json`
E0104 design.yaml:12:7+6 events.H.schema: a schema file or an inline JSON Schema is expected here, not a list | write the path of a file, or a JSON Schema as a mapping
E0104 design.yaml:13:7+6 events.I.schema: a schema file or an inline JSON Schema is expected here, not nothing | write the path of a file, or a JSON Schema as a mapping
"#);
}

#[test]
fn yaml_traps_in_texts() {
    insta::assert_snapshot!(said("
services:
  a: {owner: no, summary: 1.10}
  b: {owner: \"no\", summary: true}
  c: {owner: 12e03, summary: 2024-01-01}
  on: {owner: ~}
"), @r#"
E0115 design.yaml:5:14+2 services.a.owner: `no` without quotes is true or false to some YAML readers; here it is a text | write `"no"`
E0104 design.yaml:5:27+4 services.a.summary: `1.10` without quotes is a number, where a text is expected | write `"1.10"`
E0104 design.yaml:6:29+4 services.b.summary: `true` without quotes is true or false, where a text is expected | write `"true"`
E0104 design.yaml:7:14+5 services.c.owner: `12e03` without quotes is a number, where a text is expected | write `"12e03"`
E0115 design.yaml:8:3+2 services.on: `on` without quotes is true or false to some YAML readers; here it is a text | write `"on"`
E0104 design.yaml:8:15+1 services.on.owner: a text is expected here, not nothing | write a text, in quotes where it has `: ` or ` #`, or remove the field
"#);
}

#[test]
fn a_schema_file_is_no_mapping() {
    let body = r"events:
  A: {schema: {file: order.proto, message: shop.Order}}
  B: {schema: {path: order.avsc, format: avro}}
  C: {schema: {file: order.json, type: object}}
  D: {schema: {}}
  E: {schema: {file: {type: string}}}
";
    insta::assert_snapshot!(said(body), @"
    E0117 design.yaml:4:7+6 events.A.schema: a mapping is a JSON Schema written inline, and this one names a file | write `schema: order.proto#shop.Order`
    E0117 design.yaml:5:7+6 events.B.schema: a mapping is a JSON Schema written inline, and this one names a file | write `schema: order.avsc`
    ");
}

#[test]
fn findings_have_a_limit() {
    let fields: String = (0..2_000).map(|n| format!("x{n}: 1\n")).collect();
    let reading = read(&[("d.yaml", &format!("{HEAD}{fields}"))]);
    assert_eq!(reading.findings.len(), 1_001);
    assert_eq!(
        reading.findings[1_000].message,
        "1000 more findings are not listed"
    );
}
