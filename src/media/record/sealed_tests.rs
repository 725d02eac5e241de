//! What was sealed comes back whole, in any range; whatever is changed, moved or cut is found.

use std::io::Cursor;

use super::*;
use crate::clock::Wall;
use crate::ids::Random;

fn header(number: u16) -> Header {
    let call = CallId::new(Wall::from_micros(1_795_303_044_123_456), &mut Random::from_number(1));
    Header { content: Content::Samples, number, rate_hz: 8_000, call, salt: [number as u8; 16] }
}

fn key() -> DataKey {
    DataKey::new([7; 32])
}

fn sound(octets: usize) -> Vec<u8> {
    (0..octets).map(|n| (n % 251) as u8).collect()
}

/// As the recorder leaves it, before it is closed.
fn open_file(octets: usize, number: u16) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = Writer::create(&mut file, &key(), &header(number)).unwrap();
    for piece in sound(octets).chunks(3_201) {
        writer.write(piece).unwrap();
    }
    writer.finish().unwrap();
    file
}

/// The file when it was closed, and what was heard of it.
fn closed(mut file: Vec<u8>, most: u64) -> Result<(Vec<u8>, Vec<u8>, Closed), SealedError> {
    let mut heard = Vec::new();
    let mut cursor = Cursor::new(&mut file);
    let found = close(&mut cursor, &key(), (most, 4), [9; 11], &mut |piece| heard.extend_from_slice(piece))?;
    file.truncate(found.length as usize);
    Ok((file, heard, found))
}

fn read(file: &[u8], at: u64, most: usize) -> Result<Vec<u8>, SealedError> {
    let mut reader = Reader::open(Cursor::new(file), &key())?;
    let mut out = Vec::new();
    while out.len() < most {
        match reader.read_at(at + out.len() as u64, most - out.len())? {
            [] => break,
            piece => out.extend_from_slice(piece),
        }
    }
    Ok(out)
}

#[test]
fn what_was_sealed_comes_back_in_any_range() {
    for length in [0, 4, CHUNK - 4, CHUNK, CHUNK + 4, 3 * CHUNK, 40_000] {
        let truth = sound(length);
        let (file, heard, found) = closed(open_file(length, 1), u64::MAX).unwrap();
        assert_eq!((&heard, found.octets, found.header), (&truth, length as u64, header(1)));
        assert!(length < 100 || !file.windows(16).any(|octets| octets == &truth[20..36]), "nothing is in the clear");
        assert_eq!(read(&file, 0, usize::MAX).unwrap(), truth, "{length}");
        for (at, most) in [(0, 10), (8_190, 8), (8_192, 1), (16_380, 9_000), (39_990, 100), (50_000, 1)] {
            let expected = &truth[at.min(length)..(at + most).min(length)];
            assert_eq!(read(&file, at as u64, most).unwrap(), expected, "{length}: {most} from {at}");
        }
        // Closed again, as after a crash between the end and the new name, it is the same.
        let again = closed(file.clone(), u64::MAX).unwrap();
        assert_eq!((again.0, again.1), (file, truth));
    }
}

#[test]
fn a_crash_keeps_every_whole_chunk_and_the_call_keeps_no_more_than_it_lasted() {
    let whole = open_file(40_000, 1);
    for cut in [HEADER, HEADER + 1, HEADER + 8_207, HEADER + 8_208, HEADER + 8_209, 30_000, whole.len()] {
        let chunks = (cut - HEADER) / (CHUNK + TAG);
        let kept = if cut == whole.len() { 40_000 } else { chunks * CHUNK };
        let (file, heard, found) = closed(whole[..cut].to_vec(), u64::MAX).unwrap();
        assert_eq!((found.octets, heard.len()), (kept as u64, kept), "cut at {cut}");
        assert_eq!(read(&file, 0, usize::MAX).unwrap(), sound(kept));
        let seen = survey(&mut Cursor::new(&whole[..cut]), &key(), u64::MAX, 4).unwrap();
        assert_eq!(seen, (8_000, kept as u64));
    }
    let (file, heard, found) = closed(whole, 20_003).unwrap();
    assert_eq!((found.octets, heard.len()), (20_000, 20_000));
    assert_eq!(read(&file, 0, usize::MAX).unwrap(), sound(20_000));
    assert_eq!(read(&file, 19_996, 100).unwrap().len(), 4);
    for short in 0..HEADER {
        assert!(matches!(closed(file[..short].to_vec(), u64::MAX), Err(SealedError::Foreign(_))));
    }
}

#[test]
fn whatever_is_changed_moved_or_cut_is_found() {
    let (file, ..) = closed(open_file(40_000, 1), u64::MAX).unwrap();
    let (other, ..) = closed(open_file(40_000, 2), u64::MAX).unwrap();
    let is_bad = |file: &[u8]| read(file, 0, usize::MAX).is_err();
    assert!(!is_bad(&file));
    // One bit, everywhere: each octet of the header, of the end, and some of each chunk.
    let places = (0..HEADER).chain((HEADER..file.len() - END).step_by(997)).chain(file.len() - END..file.len());
    for at in places {
        let mut changed = file.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(is_bad(&changed), "a bit of octet {at}");
    }
    let chunk = |n: usize| HEADER + n * (CHUNK + TAG)..HEADER + (n + 1) * (CHUNK + TAG);
    let mut swapped = file.clone();
    swapped[chunk(1)].copy_from_slice(&file[chunk(2)]);
    swapped[chunk(2)].copy_from_slice(&file[chunk(1)]);
    assert!(matches!(read(&swapped, 0, usize::MAX), Err(SealedError::Chunk(1))));
    assert_eq!(read(&swapped, 0, CHUNK).unwrap(), sound(CHUNK), "what is before it can be heard");
    let mut foreign = file.clone();
    foreign[chunk(2)].copy_from_slice(&other[chunk(2)]);
    assert!(matches!(read(&foreign, 0, usize::MAX), Err(SealedError::Chunk(2))), "of another file of the same call");
    let cut = &file[..file.len() - END];
    assert!(matches!(read(cut, 0, 1), Err(SealedError::NoEnd)));
    let shorter = [&file[..chunk(3).start], &file[file.len() - END..]].concat();
    assert!(matches!(read(&shorter, 0, 1), Err(SealedError::NoEnd)), "a whole chunk cut out before the end");
    let wrong = Reader::open(Cursor::new(&file), &DataKey::new([8; 32]));
    assert!(matches!(wrong, Err(SealedError::NoEnd)));
}

#[test]
fn a_waveform_is_sealed_at_once() {
    let header = Header { content: Content::Waveform, ..header(1) };
    for length in [0, 300, CHUNK, 20_000] {
        let file = whole(&key(), &header, &sound(length), [3; 11]).unwrap();
        assert_eq!(read(&file, 0, usize::MAX).unwrap(), sound(length));
    }
}
