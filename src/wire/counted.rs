//! The messages of the streams of instances, decoded. An empty entry of a list takes two bytes of a message and many
//! times that in memory: in a message that may have very many entries they are counted first.

use std::marker::PhantomData;

use prost::Message;
use prost::bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

use crate::wire::generated::{Refusal, ToInstance, ToKeeper};
use crate::wire::invalid::InvalidMessage;

/// So many entries may the lists of one message have together.
pub const MOST_ENTRIES: usize = 65_536;

/// The bytes of an entry that says nothing: its field's number and its length.
const LEAST_BYTES: usize = 2;

/// A message with lists.
pub trait Lists {
    /// Its lists, each as the numbers of the fields that lead to it.
    const LISTS: &'static [&'static [u32]];
}

impl Lists for ToKeeper {
    // `join.calls`, `ended.succeeded.staged`, `ask_for_save.staged`.
    const LISTS: &'static [&'static [u32]] = &[&[1, 5], &[4, 2, 2], &[6, 3]];
}

impl Lists for ToInstance {
    // The keeper is trusted.
    const LISTS: &'static [&'static [u32]] = &[];
}

/// Encodes and decodes as prost does, and refuses what has too many entries before that.
pub struct CountedCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for CountedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for CountedCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Lists + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = CountedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::default().encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        CountedDecoder(ProstCodec::<T, U>::default().decoder())
    }
}

/// The decoder of these messages.
pub struct CountedDecoder<U>(ProstDecoder<U>);

impl<U: Message + Default + Lists> Decoder for CountedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // The library has the message in one piece.
        check::<U>(message.chunk()).map_err(|error| Refusal::from(&error))?;
        self.0.decode(message)
    }
}

/// Refuses a message whose lists have too many entries.
///
/// # Errors
/// `invalid_message`.
pub fn check<U: Lists>(message: &[u8]) -> Result<(), InvalidMessage> {
    if message.len() <= MOST_ENTRIES * LEAST_BYTES {
        return Ok(());
    }
    let mut found = 0;
    for path in U::LISTS {
        // What is no message is refused when it is decoded, which goes no further than this did.
        let _ = count(message, path, &mut found);
    }
    if found <= MOST_ENTRIES {
        return Ok(());
    }
    let why = format!("has lists of more than {MOST_ENTRIES} entries");
    Err(InvalidMessage::new("said", why))
}

/// Counts the entries of one list, until there are too many; none where the bytes are no message.
fn count(mut message: &[u8], path: &[u32], found: &mut usize) -> Option<()> {
    let Some((field, rest)) = path.split_first() else {
        *found += 1;
        return Some(());
    };
    while message.has_remaining() && *found <= MOST_ENTRIES {
        let (number, wire_type) = decode_key(&mut message).ok()?;
        if number != *field || wire_type != WireType::LengthDelimited {
            skip_field(wire_type, number, &mut message, DecodeContext::default()).ok()?;
            continue;
        }
        let bytes = usize::try_from(decode_varint(&mut message).ok()?).ok()?;
        let (entry, behind) = message.split_at_checked(bytes)?;
        count(entry, rest, found)?;
        message = behind;
    }
    Some(())
}
