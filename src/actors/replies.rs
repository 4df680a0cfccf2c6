//! Who waits for an answer of a key's actor.

use std::collections::BTreeMap;

use crate::actors::key_message::Reply;
use crate::key::event::Ticket;

/// Where the answers go, by ticket.
///
/// Most requests are answered in the step that they cause: theirs never reaches the map.
#[derive(Default)]
pub struct Replies {
    asking: Option<(Ticket, Reply)>,
    waiting: BTreeMap<Ticket, Reply>,
}

impl Replies {
    /// Somebody asks.
    pub fn asks(&mut self, ticket: Ticket, reply: Reply) {
        self.wait();
        self.asking = Some((ticket, reply));
    }

    /// Whoever asked last waits, if there was no answer at once.
    pub fn wait(&mut self) {
        if let Some((ticket, reply)) = self.asking.take() {
            self.waiting.insert(ticket, reply);
        }
    }

    /// Where the answer to this ticket goes, if somebody waits for it.
    pub fn take(&mut self, ticket: Ticket) -> Option<Reply> {
        match self.asking.take_if(|(asking, _)| *asking == ticket) {
            Some((_, reply)) => Some(reply),
            None => self.waiting.remove(&ticket),
        }
    }

    /// Lets go of everybody.
    pub fn clear(&mut self) {
        self.asking = None;
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::effect::Answer;

    #[test]
    fn each_asker_is_found_once_by_its_ticket_whether_it_waits_or_asks() {
        let mut replies = Replies::default();
        let mut answers = Vec::new();
        for ticket in 0..3 {
            let (reply, answer) = tokio::sync::oneshot::channel();
            replies.asks(ticket, reply);
            answers.push(answer);
        }
        for (ticket, answer) in answers.iter_mut().enumerate() {
            let ticket = ticket as Ticket;
            replies
                .take(ticket)
                .unwrap()
                .send(Ok(Answer::Saved))
                .unwrap();
            assert_eq!(answer.try_recv(), Ok(Ok(Answer::Saved)));
            assert!(replies.take(ticket).is_none());
        }
    }
}
