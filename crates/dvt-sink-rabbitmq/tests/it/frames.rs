//! What goes over the wire, as far as tests look at it.

/// Counts the channels that a client opens and closes, from the bytes that it sends.
#[derive(Debug, Default)]
pub(crate) struct ChannelCounter {
    rest: Vec<u8>,
    greeted: bool,
    pub(crate) opened: usize,
    pub(crate) closed: usize,
    /// The number of the channel that was opened last.
    pub(crate) newest: u16,
}

impl ChannelCounter {
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        if !self.greeted && self.rest.len() >= 8 {
            self.rest.drain(..8);
            self.greeted = true;
        }
        // Type, channel, size, payload, end.
        while self.greeted && self.rest.len() >= 7 {
            let size = u32::from_be_bytes(self.rest[3..7].try_into().unwrap()) as usize;
            if self.rest.len() < 8 + size {
                return;
            }
            let frame: Vec<u8> = self.rest.drain(..8 + size).collect();
            if frame[0] == 1 {
                match frame[7..11] {
                    [0, 20, 0, 10] => {
                        self.opened += 1;
                        self.newest = u16::from_be_bytes([frame[1], frame[2]]);
                    }
                    [0, 20, 0, 40] => self.closed += 1,
                    _ => {}
                }
            }
        }
    }
}

/// `connection.blocked`, as a server short of memory sends it.
pub(crate) fn blocked() -> Vec<u8> {
    let reason = b"low on memory";
    let mut payload = vec![0, 10, 0, 60, u8::try_from(reason.len()).unwrap()];
    payload.extend_from_slice(reason);
    method(0, &payload)
}

/// `connection.unblocked`
pub(crate) fn unblocked() -> Vec<u8> {
    method(0, &[0, 10, 0, 61])
}

/// `connection.close`, as a server sends it that is shut down.
pub(crate) fn goodbye() -> Vec<u8> {
    let text = b"CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";
    close(0, 10, 50, 320, text)
}

/// `channel.close`, as a server sends it for a message over its `max_message_size`.
pub(crate) fn too_large(channel: u16) -> Vec<u8> {
    let text = b"PRECONDITION_FAILED - message size 7 is larger than configured max size 6";
    close(channel, 20, 40, 406, text)
}

fn close(channel: u16, class: u8, id: u8, code: u16, text: &[u8]) -> Vec<u8> {
    let mut payload = vec![0, class, 0, id];
    payload.extend_from_slice(&code.to_be_bytes());
    payload.push(u8::try_from(text.len()).unwrap());
    payload.extend_from_slice(text);
    payload.extend_from_slice(&[0; 4]);
    method(channel, &payload)
}

fn method(channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![1];
    frame.extend_from_slice(&channel.to_be_bytes());
    frame.extend_from_slice(&u32::try_from(payload.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(payload);
    frame.push(0xce);
    frame
}
