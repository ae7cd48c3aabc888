//! A server for one connection at a time on loopback, around a `ServerSession`.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::thread;

use headwater_rtmp::{Event, PublishRequest, RejectCode, ServerSession, SessionConfig, SessionError, Stats};

/// What a connection came to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub events: Vec<Event>,
    pub error: Option<SessionError>,
    pub stats: Stats,
}

/// The owner's answer to publish requests.
pub type Decide = fn(&PublishRequest) -> Result<(), (RejectCode, &'static str)>;

/// Runs `command` with the port of a fresh server, and returns what the program and the server saw.
pub fn run_against_server(decide: Decide, command: impl FnOnce(u16) -> Command) -> (Output, Outcome) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || serve(listener.accept().unwrap().0, decide));
    let output = command(port).output().unwrap();
    // Wakes the server if the program never came; otherwise it stays in the backlog unseen.
    drop(TcpStream::connect(("127.0.0.1", port)));
    (output, server.join().unwrap())
}

fn serve(mut socket: TcpStream, decide: Decide) -> Outcome {
    let mut outcome = Outcome::default();
    let mut session = ServerSession::new(SessionConfig::new([0x5A; 1528]));
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(count @ 1..) = socket.read(&mut buffer) else { return outcome };
        outcome.error = session.receive(&buffer[..count]).err();
        outcome.stats = session.stats();
        while let Some(event) = session.poll_event() {
            if let Event::PublishRequested(request) = &event {
                match decide(request) {
                    Ok(()) => session.accept_publish(request.id),
                    Err((code, reason)) => session.reject_publish(request.id, code, reason),
                };
            }
            outcome.events.push(event);
        }
        while let Some(bytes) = session.poll_output() {
            if socket.write_all(&bytes).is_err() {
                return outcome;
            }
        }
        if session.phase() == headwater_rtmp::Phase::Closed {
            // Closing with unread input would reset the connection and may lose the reason on its way.
            socket.shutdown(Shutdown::Write).ok();
            while let Ok(1..) = socket.read(&mut buffer) {}
            return outcome;
        }
    }
}
