//! RTP packets on the wire (RFC 3550 section 5.1). The only user of `rtp-rs`.

use rtp_rs::{RtpPacketBuilder, RtpReader, RtpReaderError, Seq};

/// Longest packet that we take or send, in bytes: an Ethernet frame's payload.
pub const MAX_PACKET_BYTES: usize = 1_500;

/// Length of the header without contributing sources or extension, in bytes.
const HEADER_BYTES: usize = 12;

/// Why a datagram is no RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("shorter than an RTP header or its own lengths")]
    Short,
    #[error("not RTP version 2")]
    Version,
    #[error("padding longer than the payload")]
    Padding,
    #[error("looks like RTCP (payload type {0})")]
    Rtcp(u8),
    #[error("does not begin with an RTCP report")]
    NoReport,
    #[error("longer than {MAX_PACKET_BYTES} bytes")]
    Long,
}

/// One received packet; contributing sources and extensions are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    pub header: Header,
    /// Without padding.
    pub payload: &'a [u8],
}

/// The fields of the fixed header that we use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub payload_type: u8,
    pub marker: bool,
    pub sequence: u16,
    /// In units of [`super::CLOCK_RATE_HZ`].
    pub timestamp: u32,
    pub ssrc: u32,
}

impl<'a> Packet<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_PACKET_BYTES {
            return Err(Malformed::Long);
        }
        let reader = RtpReader::new(bytes).map_err(|error| match error {
            RtpReaderError::BufferTooShort(_) | RtpReaderError::HeadersTruncated { .. } => Malformed::Short,
            RtpReaderError::UnsupportedVersion(_) => Malformed::Version,
            RtpReaderError::PaddingLengthInvalid(_) => Malformed::Padding,
        })?;
        let payload_type = reader.payload_type();
        if is_rtcp_range(payload_type) {
            return Err(Malformed::Rtcp(payload_type));
        }
        let header = Header {
            payload_type,
            marker: reader.mark(),
            sequence: reader.sequence_number().into(),
            timestamp: reader.timestamp(),
            ssrc: reader.ssrc(),
        };
        Ok(Packet { header, payload: reader.payload() })
    }
}

impl Header {
    /// The header alone, of a packet whose end is not there or cannot be read (a capture that cut it, encrypted padding),
    /// as long as it may be. `None`: no RTP version 2, or RTCP.
    pub fn of(bytes: &[u8]) -> Option<Header> {
        let mut fixed = *bytes.first_chunk::<HEADER_BYTES>()?;
        // What contributing sources, extension and padding would say of the octets that follow.
        fixed[0] &= 0xc0;
        Packet::parse(&fixed).ok().map(|packet| packet.header)
    }
}

/// RTCP packet types 192 to 223 read as RTP payload types 64 to 95 (RFC 5761 section 4); no profile of ours uses these.
fn is_rtcp_range(payload_type: u8) -> bool {
    (64..=95).contains(&payload_type)
}

/// Appends a packet to `out` and returns its length in bytes; nothing is allocated once `out` has grown.
pub fn write(header: &Header, payload: &[u8], out: &mut Vec<u8>) -> Result<usize, Malformed> {
    let length = HEADER_BYTES + payload.len();
    if length > MAX_PACKET_BYTES {
        return Err(Malformed::Long);
    }
    let start = out.len();
    out.resize(start + length, 0);
    let built = RtpPacketBuilder::new()
        .payload_type(header.payload_type)
        .marked(header.marker)
        .sequence(Seq::from(header.sequence))
        .timestamp(header.timestamp)
        .ssrc(header.ssrc)
        .payload(payload)
        .build_into(&mut out[start..]);
    built.map_err(|_| {
        out.truncate(start);
        Malformed::Rtcp(header.payload_type)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_what_is_no_rtp() {
        assert_eq!(Packet::parse(b""), Err(Malformed::Short));
        assert_eq!(Packet::parse(&[0x80; 11]), Err(Malformed::Short));
        assert_eq!(Packet::parse(&[0x00; 40]), Err(Malformed::Version));
        // A sender report: packet type 200 is payload type 72 with the marker bit.
        let mut report = [0; 28];
        (report[0], report[1]) = (0x80, 200);
        assert_eq!(Packet::parse(&report), Err(Malformed::Rtcp(72)));
        // Padding of 200 bytes in a payload of 20.
        let mut padded = [0; 32];
        (padded[0], padded[1], padded[31]) = (0xa0, 8, 200);
        assert_eq!(Packet::parse(&padded), Err(Malformed::Padding));
        assert_eq!(Packet::parse(&[0x80; 1_501]), Err(Malformed::Long));
    }

    #[test]
    fn a_header_is_read_where_its_packet_cannot_be() {
        let mut bytes = vec![0xb3, 0x88, 0, 1, 0, 0, 0, 160, 0, 0, 0, 9];
        let header = Header { payload_type: 8, marker: true, sequence: 1, timestamp: 160, ssrc: 9 };
        assert_eq!((Packet::parse(&bytes), Header::of(&bytes)), (Err(Malformed::Short), Some(header)));
        bytes.resize(6_000, 0xff);
        assert_eq!(Header::of(&bytes), Some(header));
        assert_eq!(Header::of(&bytes[..11]), None);
        assert_eq!((Header::of(&[0; 12]), Header::of(&[&[0x80, 200], &[0; 26][..]].concat())), (None, None));
    }

    #[test]
    fn padding_and_extension_are_no_payload() {
        let mut bytes = vec![0xb0, 8, 0, 1, 0, 0, 0, 160, 0, 0, 0, 9];
        bytes.extend([0xbe, 0xde, 0, 1, 1, 2, 3, 4]);
        bytes.extend([0x11, 0x22, 0x33, 0, 0, 3]);
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet.payload, [0x11, 0x22, 0x33]);
        assert_eq!((packet.header.sequence, packet.header.timestamp, packet.header.ssrc), (1, 160, 9));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            payload_type in prop_oneof![0u8..64, 96u8..128], marker: bool, sequence: u16, timestamp: u32, ssrc: u32,
            payload in proptest::collection::vec(any::<u8>(), 0..400),
        ) {
            let header = Header { payload_type, marker, sequence, timestamp, ssrc };
            let mut out = vec![7; 3];
            let length = write(&header, &payload, &mut out).unwrap();
            prop_assert_eq!(length, out.len() - 3);
            prop_assert_eq!(Packet::parse(&out[3..]), Ok(Packet { header, payload: &payload }));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Packet::parse(&bytes);
        }
    }
}
