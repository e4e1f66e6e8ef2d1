//! Lambda and its callers: the HTTP API, queues and the schedule.

mod environment;
mod event_source;
mod function;
mod http_api;
mod runtime_api;
mod schedule;

pub use self::{environment::Failure, function::Function};

pub(crate) use self::{
    event_source::EventSource,
    function::Settings,
    http_api::{Access, HttpApi, MetricFilter, Route},
    schedule::{Asynchronous, Outlet, Schedule},
};
