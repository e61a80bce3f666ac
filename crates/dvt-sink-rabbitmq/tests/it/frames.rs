//! What goes over the wire, as far as tests look at it.

/// Counts the channels that a client opens and closes, from the bytes that it sends.
#[derive(Debug, Default)]
pub(crate) struct ChannelCounter {
    rest: Vec<u8>,
    greeted: bool,
    pub(crate) opened: usize,
    pub(crate) closed: usize,
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
                    [0, 20, 0, 10] => self.opened += 1,
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
    method(&payload)
}

/// `connection.unblocked`
pub(crate) fn unblocked() -> Vec<u8> {
    method(&[0, 10, 0, 61])
}

/// `connection.close`, as a server sends it that is shut down.
pub(crate) fn goodbye() -> Vec<u8> {
    let text = b"CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";
    let mut payload = vec![0, 10, 0, 50, 1, 64, u8::try_from(text.len()).unwrap()];
    payload.extend_from_slice(text);
    payload.extend_from_slice(&[0; 4]);
    method(&payload)
}

fn method(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![1, 0, 0];
    frame.extend_from_slice(&u32::try_from(payload.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(payload);
    frame.push(0xce);
    frame
}
