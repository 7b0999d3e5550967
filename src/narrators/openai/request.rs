//! What a server is sent for texts.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::prompts::Rendered;
use crate::servers::{NEW_LIMIT, Server};

impl Server {
    /// The body of a request.
    pub(super) fn body(&self, asked: &Rendered, seed: u32, complaint: Option<&str>) -> Value {
        let off = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        let mut body = json!({
            "model": self.endpoint.model,
            "messages": [{ "role": "system", "content": asked.system }, { "role": "user", "content": asked.user }],
            "stream": false,
        });
        if let (Some(complaint), Some(messages)) = (complaint, body["messages"].as_array_mut()) {
            let again =
                format!("An earlier answer to this could not be used: {complaint}. Mind that, and write it anew.");
            messages.push(json!({ "role": "user", "content": again }));
        }
        if !off(&self.no_schema) {
            let schema = json!({ "name": "texts", "strict": true, "schema": asked.schema() });
            body["response_format"] = json!({ "type": "json_schema", "json_schema": schema });
        } else if !off(&self.no_json) {
            body["response_format"] = json!({ "type": "json_object" });
        }
        if !off(&self.no_seed) {
            body["seed"] = json!(seed & i32::MAX as u32);
        }
        if let (Some(temperature), false) = (self.endpoint.temperature, off(&self.no_temperature)) {
            body["temperature"] = json!(temperature);
        }
        if let Some(tokens) = self.endpoint.max_answer_tokens {
            body[if off(&self.old_limit) { "max_tokens" } else { NEW_LIMIT }] = json!(tokens);
        }
        body
    }
}
