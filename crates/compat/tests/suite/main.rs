//! JSON Schemas against each other.

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod confluent;
#[cfg(test)]
mod declared;
#[cfg(test)]
mod events;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod json;
#[cfg(test)]
mod random;
#[cfg(test)]
mod reserved;
#[cfg(test)]
mod schemas;
