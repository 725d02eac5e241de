//! Phones on real sockets: SIP over UDP and RTP with a voice, for the demo.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use super::phone::{Happened, Phone};
use crate::clock::{Instant, Now};
use crate::ids::Random;
use crate::io::clock::RunClock;
use crate::media::{Remote, wav};
use crate::protocol::audio::g711::Law;
use crate::protocol::rtp::{MAX_PACKET_BYTES, Sender, write};
use crate::protocol::sip::endpoint::SessionId;

/// One packet's worth of voice.
const PACKET: Duration = Duration::from_millis(20);
const PACKET_SAMPLES: usize = 160;

/// A phone, its SIP socket and its RTP sockets.
pub struct Line {
    pub phone: Phone,
    sip: UdpSocket,
    rtp: BTreeMap<SocketAddr, UdpSocket>,
    voice: Arc<[i16]>,
    /// Silence before the voice begins: the greeting plays meanwhile.
    lead: usize,
    talking: BTreeMap<SessionId, Voice>,
    random: Random,
}

/// One person speaking.
struct Voice {
    local: SocketAddr,
    remote: Remote,
    sender: Sender,
    position: usize,
    next: Instant,
}

impl Line {
    /// `people`: how many calls it can carry with sound at once.
    pub fn open(
        make: impl FnOnce(SocketAddr) -> Phone,
        people: usize,
        voice: Arc<[i16]>,
        lead: Duration,
        random: Random,
    ) -> io::Result<Line> {
        let sip = UdpSocket::bind("127.0.0.1:0")?;
        sip.set_nonblocking(true)?;
        let mut phone = make(sip.local_addr()?);
        let mut rtp = BTreeMap::new();
        for _ in 0..people {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.set_nonblocking(true)?;
            rtp.insert(socket.local_addr()?, socket);
        }
        phone.lend_rtp(rtp.keys().copied());
        let lead = usize::try_from(lead.as_millis()).unwrap_or(0) * 8;
        Ok(Line { phone, sip, rtp, voice, lead, talking: BTreeMap::new(), random })
    }

    /// Does what is due; to be called every few milliseconds.
    pub fn work(&mut self, clock: RunClock) -> io::Result<()> {
        let mut buffer = vec![0; 65_536];
        loop {
            match self.sip.recv_from(&mut buffer) {
                Ok((n, source)) => self.phone.handle_datagram(clock.now(), source, &buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An earlier write was refused (ICMP): the phone repeats what matters.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(error),
            }
        }
        let now = clock.now();
        if self.phone.poll_timeout().is_some_and(|at| at <= now.mono) {
            self.phone.handle_timeout(now);
        }
        self.flush();
        self.speak(now);
        // What is heard is not needed here, but its sockets must not fill up.
        for socket in self.rtp.values() {
            while socket.recv_from(&mut buffer).is_ok() {}
        }
        Ok(())
    }

    fn flush(&mut self) {
        while let Some(transmit) = self.phone.poll_transmit() {
            // A datagram that is lost is sent again by the transaction.
            let _ = self.sip.send_to(&transmit.bytes, transmit.flow.remote);
        }
        while let Some((session, at, happened)) = self.phone.poll_happened() {
            match happened {
                Happened::Connected { local, remote } => {
                    let (ssrc, sequence) = (self.random.u32(), self.random.u32() as u16);
                    let sender = Sender::new(ssrc, sequence, self.random.u32());
                    self.talking.insert(session, Voice { local, remote, sender, position: 0, next: at.mono });
                }
                Happened::Gone | Happened::Over => {
                    self.talking.remove(&session);
                }
                Happened::CalledFor { .. } | Happened::Calls { .. } | Happened::Refused { .. } => {}
            }
        }
    }

    fn speak(&mut self, now: Now) {
        let mut packet = Vec::with_capacity(MAX_PACKET_BYTES);
        for voice in self.talking.values_mut() {
            let Some(socket) = self.rtp.get(&voice.local) else { continue };
            while voice.next <= now.mono {
                // These phones offer nothing else.
                let law = voice.remote.codec.law().unwrap_or(Law::A);
                let header = voice.sender.generate(voice.next, PACKET_SAMPLES as u32, voice.remote.payload_type);
                let payload = sound(&self.voice, self.lead, voice.position, law);
                packet.clear();
                if write(&header, &payload, &mut packet).is_ok() {
                    let _ = socket.send_to(&packet, voice.remote.rtp);
                }
                voice.position += PACKET_SAMPLES;
                voice.next = voice.next + PACKET;
            }
        }
    }
}

/// The next 20 ms of a voice that begins after `lead` samples of silence and repeats.
fn sound(voice: &[i16], lead: usize, position: usize, law: Law) -> Vec<u8> {
    (position..position + PACKET_SAMPLES)
        .map(|i| i.checked_sub(lead).and_then(|i| voice.get(i % (voice.len() + lead).max(1))).copied().unwrap_or(0))
        .map(|sample| law.encode(sample))
        .collect()
}

/// A voice from a WAV file that is part of the program.
pub fn voice(file: &[u8]) -> Arc<[i16]> {
    wav::read_mono(file).map(|(samples, _)| samples.into()).unwrap_or_default()
}
