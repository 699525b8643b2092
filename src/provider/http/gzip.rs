//! Bodies that come compressed by gzip. They are unpacked here and not by the HTTP library, because the raw
//! trail keeps them as they came: that is smaller and faster than anything compressed again.

use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use reqwest::header::{CONTENT_ENCODING, HeaderMap};

/// What the Accept-Encoding header says: the only coding that is understood.
pub(super) const ACCEPTED: &str = "gzip";

/// The largest window of the format, in bits of its size.
const WINDOW: u8 = 15;

/// Whether a body comes so.
pub(super) fn is_packed(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"gzip"))
}

/// Unpacks a body; `None` where it is more than `limit` bytes. An error where it is broken or cut off.
pub(super) fn unpack(packed: &[u8], limit: usize) -> io::Result<Option<Vec<u8>>> {
    // The last four bytes say how much it is, or lie: room that is not filled costs nothing.
    let said = packed.last_chunk().map_or(0, |size| u32::from_le_bytes(*size) as usize);
    let mut body = Vec::with_capacity(said.min(limit) + 1);
    // In one go where it is as long as it says: that way nothing is copied.
    let mut inflate = Decompress::new_gzip(WINDOW);
    let whole = said <= limit
        && matches!(
            inflate.decompress_vec(packed, &mut body, FlushDecompress::Finish),
            Ok(Status::StreamEnd)
        )
        && inflate.total_in() == packed.len() as u64;
    if !whole && !packed.is_empty() {
        body.clear();
        MultiGzDecoder::new(packed).take(limit as u64 + 1).read_to_end(&mut body)?;
    }
    Ok((body.len() <= limit).then_some(body))
}
