//! The suite that holds a broker to the contract and to its own promises.
