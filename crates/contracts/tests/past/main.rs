//! Designs against what they were.

#[cfg(test)]
mod acceptances;
#[cfg(test)]
mod designs;
#[cfg(test)]
mod fields;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod seeds;
