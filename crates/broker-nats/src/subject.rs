//! Names of streams and subjects.

use tidegate_base::Name;

use crate::config::NatsConfig;

/// The last token of what only this broker reads: no event is called so.
const JOURNAL: &str = "_journal";

/// A name as one token: a point would make two of it.
fn token(name: &Name) -> String {
    name.as_str().replace('.', "=")
}

/// The stream of a shard.
pub(crate) fn stream(config: &NatsConfig, shard: u32) -> String {
    format!("{}_{}_{shard}", config.prefix, token(&config.system))
}

/// The bucket in which the processes agree who has which shard.
pub(crate) fn bucket(config: &NatsConfig) -> String {
    // A bucket's name has neither a point nor an equals sign.
    let system = config.system.as_str().replace('.', "-");
    format!("{}_{system}_members", config.prefix)
}

/// What the subjects of a shard begin with.
pub(crate) fn root(config: &NatsConfig, shard: u32) -> String {
    format!("{}.{}.{shard}.", config.prefix, token(&config.system))
}

/// The rest of the subject of a channel's events.
pub(crate) fn of_channel(channel: &Name) -> String {
    let name = channel.as_str();
    // A subject has no empty token.
    if name.contains("..") || name.ends_with('.') {
        return token(channel);
    }
    name.to_owned()
}

/// The rest of the subject of what only this broker reads.
pub(crate) const fn of_journal() -> &'static str {
    JOURNAL
}

/// The channel of the rest of a subject; `None`: it is none of a channel.
pub(crate) fn channel(rest: &str) -> Option<Name> {
    Name::new(&rest.replace('=', ".")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_come_back_from_their_subjects() {
        for name in ["OrderPlaced", "Orders.v2_x-y", "a..b", "a.", "1"] {
            let name = Name::new(name).unwrap();
            let rest = of_channel(&name);
            assert!(rest.split('.').all(|token| !token.is_empty()), "{rest}");
            assert_eq!(channel(&rest), Some(name));
        }
        assert_eq!(channel(of_journal()), None);
        let system = Name::new("eu.shop").unwrap();
        let config = NatsConfig::parse("nats://a:1", system).unwrap();
        assert_eq!(root(&config, 3), "tidegate.eu=shop.3.");
        assert_eq!(stream(&config, 3), "tidegate_eu=shop_3");
        assert_eq!(bucket(&config), "tidegate_eu-shop_members");
    }
}
