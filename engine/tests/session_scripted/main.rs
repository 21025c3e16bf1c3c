//! The session layer over a scripted model, whose logits are a function of the tokens in its KV pages: what front ends may rely on,
//! without weights.

mod failures;
mod fixture;
mod loading;
mod models;
mod order;
mod scoring;
mod slots;
mod storms;
mod text;
