//! What a running app says about itself, as JSON. The engine's own types stay free of any wire format.

use onebit_engine::session::{EngineStatus, ModelStatus, SlotStatus};
use serde_json::{Value, json};

/// JSON of `onebit status` for a running app. Times and sizes carry their unit in the name.
pub fn status_json(status: &EngineStatus) -> Value {
    json!({
        "running": true,
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "lane": status.lane,
        "threads": status.threads,
        "notice": status.notice,
        "generations": { "running": status.running, "queued": status.queued },
        "memory": { "used_bytes": status.memory_used_bytes, "budget_bytes": status.memory_budget_bytes },
        "models": status.models.iter().map(model_json).collect::<Vec<_>>(),
        "slots": status.slots.iter().map(slot_json).collect::<Vec<_>>(),
    })
}

fn model_json(model: &ModelStatus) -> Value {
    json!({
        "id": model.id,
        "path": model.path,
        "name": model.name,
        "packing": model.packing,
        "context": model.context,
        "weight_bytes": model.weight_bytes,
        "bytes_per_token": model.bytes_per_token,
        "kv_reserved_bytes": model.kv_reserved_bytes,
        "kv_used_bytes": model.kv_used_bytes,
    })
}

fn slot_json(slot: &SlotStatus) -> Value {
    json!({
        "model": slot.model,
        "slot": slot.slot,
        "positions": slot.positions,
        "kv_bytes": slot.kv_bytes,
        "session": slot.session,
        "busy": slot.busy,
    })
}
