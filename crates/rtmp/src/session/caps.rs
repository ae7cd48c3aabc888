//! What a client can do beyond RTMP 1.0: Enhanced RTMP v2 negotiation and RTMP Go Away.

use crate::amf::{Properties, Value};
use crate::codec::FourCc;

/// E-RTMP `capsEx` bit: reconnect requests are followed, or sent.
const CAPS_EX_RECONNECT: u32 = 0x01;
/// E-RTMP `capsEx` bit: ModEx is parsed; what it modifies is of no use here.
const CAPS_EX_MOD_EX: u32 = 0x04;
/// E-RTMP FourCC info flag: this side can decode.
const CAN_DECODE: f64 = 1.0;
/// Codec codes kept of one client's list; there are about 12.
const MAX_FOUR_CCS: usize = 32;

/// Capabilities a client announced in connect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// It takes part in E-RTMP negotiation.
    pub enhanced: bool,
    /// E-RTMP codecs it names; `*` is not among them.
    pub four_ccs: Vec<FourCc>,
    /// It follows `NetConnection.Connect.ReconnectRequest`.
    pub reconnect: bool,
    /// It follows RTMP Go Away.
    pub go_away: bool,
}

/// How a client was asked to reconnect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReconnectSignal {
    /// E-RTMP v2 status `NetConnection.Connect.ReconnectRequest`.
    ReconnectRequest,
    /// RTMP Go Away, message type 32.
    GoAway,
}

impl Capabilities {
    pub(super) fn from_connect(object: &Value) -> Self {
        let caps_ex = object.get("capsEx").and_then(Value::as_number);
        let listed = object.get("fourCcList");
        let mapped = object.get("videoFourCcInfoMap");
        let mut four_ccs = Vec::new();
        if let Some(Value::StrictArray(list)) = listed {
            four_ccs.extend(list.iter().filter_map(Value::as_str).filter_map(four_cc));
        }
        if let Some(map) = mapped.and_then(Value::properties) {
            four_ccs.extend(map.iter().filter_map(|(name, _)| four_cc(name)));
        }
        four_ccs.truncate(MAX_FOUR_CCS);
        Self {
            enhanced: caps_ex.is_some() || listed.is_some() || mapped.is_some(),
            four_ccs,
            // The cast saturates; NaN becomes 0.
            reconnect: caps_ex.is_some_and(|caps| caps as u32 & CAPS_EX_RECONNECT != 0),
            go_away: object.get("supportsGoAway").is_some_and(Value::is_truthy),
        }
    }

    /// What the server answers to a client that negotiates: only what it does.
    pub(super) fn answer(&self, video: &[FourCc], audio: &[FourCc]) -> Properties {
        if !self.enhanced {
            return Properties::new();
        }
        let names = video.iter().chain(audio).map(|code| Value::String(code.to_string()));
        let map = |codes: &[FourCc]| {
            Value::Object(codes.iter().map(|code| (code.to_string(), Value::Number(CAN_DECODE))).collect())
        };
        vec![
            ("capsEx".to_owned(), Value::Number((CAPS_EX_RECONNECT | CAPS_EX_MOD_EX).into())),
            ("fourCcList".to_owned(), Value::StrictArray(names.collect())),
            ("videoFourCcInfoMap".to_owned(), map(video)),
            ("audioFourCcInfoMap".to_owned(), map(audio)),
        ]
    }
}

fn four_cc(text: &str) -> Option<FourCc> {
    <[u8; 4]>::try_from(text.as_bytes()).ok().map(FourCc)
}
