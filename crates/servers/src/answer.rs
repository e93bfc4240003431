//! Whether a server answers: a small exchange in its own protocol, as a listening port says little.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::server::{Kind, Server};

/// How long a single answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);
/// More than any of these answers has.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Asks the server something that only a whole one can answer.
pub(crate) fn ask(server: &Server) -> Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port(0)?));
    let stream = TcpStream::connect_timeout(&address, ANSWER_TIME_MAX)?;
    stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
    stream.set_write_timeout(Some(ANSWER_TIME_MAX))?;
    match server.kind {
        Kind::Kafka => kafka(stream),
        Kind::RabbitMq => rabbitmq(stream),
        Kind::Nats => nats(stream),
    }
}

/// Which brokers there are: a node that has only started knows of none.
///
/// Source: the Kafka protocol, Metadata request (key 3), version 0, which every version answers.
fn kafka(mut stream: TcpStream) -> Result<()> {
    const CORRELATION: u32 = 0x7469_6465;
    let client = b"tidegate-servers";
    let mut request = Vec::new();
    request.extend(3_i16.to_be_bytes());
    request.extend(0_i16.to_be_bytes());
    request.extend(CORRELATION.to_be_bytes());
    request.extend(i16::try_from(client.len())?.to_be_bytes());
    request.extend(client);
    // Of no topic in particular.
    request.extend(0_i32.to_be_bytes());
    stream.write_all(&u32::try_from(request.len())?.to_be_bytes())?;
    stream.write_all(&request)?;
    let length = usize::try_from(read_u32(&mut stream)?)?;
    ensure!(length <= ANSWER_BYTES_MAX, "an answer of {length} bytes");
    ensure!(
        read_u32(&mut stream)? == CORRELATION,
        "the answer is to something else"
    );
    ensure!(read_u32(&mut stream)? > 0, "no broker is registered yet");
    Ok(())
}

fn read_u32(stream: &mut TcpStream) -> Result<u32> {
    let mut bytes = [0; 4];
    stream.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes))
}

/// The server's greeting.
///
/// Source: AMQP 0-9-1, 4.2.2 and 4.2.3: a method frame of channel 0 with `connection.start` (10, 10).
fn rabbitmq(mut stream: TcpStream) -> Result<()> {
    stream.write_all(b"AMQP\x00\x00\x09\x01")?;
    let mut frame = [0; 11];
    stream.read_exact(&mut frame)?;
    let is_start = frame.starts_with(&[1, 0, 0]) && frame.ends_with(&[0, 10, 0, 10]);
    ensure!(is_start, "it does not greet as AMQP 0-9-1 does");
    Ok(())
}

/// A ping, once it has said who it is and that it has JetStream.
fn nats(mut stream: TcpStream) -> Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?);
    let mut info = String::new();
    lines.read_line(&mut info)?;
    ensure!(info.starts_with("INFO "), "it does not greet as NATS does");
    ensure!(
        info.contains("\"jetstream\":true"),
        "it runs without JetStream"
    );
    stream.write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n")?;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).context("no answer to a ping")? == 0 {
            bail!("the connection ended before the answer to a ping");
        }
        if line.trim() == "PONG" {
            return Ok(());
        }
    }
}
