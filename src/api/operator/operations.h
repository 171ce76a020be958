// The operations of the operator's listener, one row each (docs/formats/operator-api.md): how a request is known for
// one, and what answers it. Routing, metrics and log lines come from this table.
//
// The functions stand in one file a family. They may block: they run on a pool's threads.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "api/edge/operation.h"
#include "api/operator/call.h"
#include "base/result.h"

namespace andromede::api {

struct OperatorOperation {
  edge::Operation is;
  std::string_view method = {};  // empty: never known by itself
  std::string_view path = {};    // one segment of which may be {in braces}: whatever stands there is its name
  // What an operator is answered, on the pool; null: anybody is answered by `probe`, on the loop.
  Result<OperatorAnswer> (*run)(const OperatorCall& call) = nullptr;
  Task<OperatorAnswer> (OperatorFrontEnd::*probe)(std::stop_token cut) = nullptr;
  std::chrono::milliseconds timeout{60'000};
};

// The last is what a request is counted as that is known for none.
std::span<const OperatorOperation> operator_operations();

struct RoutedPath {
  const OperatorOperation* operation = &operator_operations().back();
  std::string name;  // what the path names: a job's number, a drive, an account
};
// `path`: without the query.
RoutedPath route_operator_path(std::string_view method, std::string_view path);

// drives.cc
Result<OperatorAnswer> get_status(const OperatorCall& call);
Result<OperatorAnswer> list_jobs(const OperatorCall& call);
Result<OperatorAnswer> get_job(const OperatorCall& call);
Result<OperatorAnswer> add_drive(const OperatorCall& call);
Result<OperatorAnswer> replace_drive(const OperatorCall& call);
Result<OperatorAnswer> reclaim_drive(const OperatorCall& call);
Result<OperatorAnswer> heal(const OperatorCall& call);
Result<OperatorAnswer> scrub(const OperatorCall& call);
Result<OperatorAnswer> drain(const OperatorCall& call);
Result<OperatorAnswer> abort_drain(const OperatorCall& call);

// accounts.cc
Result<OperatorAnswer> list_accounts(const OperatorCall& call);
Result<OperatorAnswer> create_account(const OperatorCall& call);
Result<OperatorAnswer> close_account(const OperatorCall& call);
Result<OperatorAnswer> list_keys(const OperatorCall& call);
Result<OperatorAnswer> create_key(const OperatorCall& call);
Result<OperatorAnswer> enable_key(const OperatorCall& call);
Result<OperatorAnswer> disable_key(const OperatorCall& call);
Result<OperatorAnswer> delete_key(const OperatorCall& call);
Result<OperatorAnswer> list_operators(const OperatorCall& call);
Result<OperatorAnswer> create_operator(const OperatorCall& call);
Result<OperatorAnswer> revoke_operator(const OperatorCall& call);

// consortium.cc
Result<OperatorAnswer> get_consortium(const OperatorCall& call);
Result<OperatorAnswer> check_consortium(const OperatorCall& call);
Result<OperatorAnswer> apply_consortium(const OperatorCall& call);

// journal.cc
Result<OperatorAnswer> read_journal(const OperatorCall& call);
Result<OperatorAnswer> verify_journal(const OperatorCall& call);

}  // namespace andromede::api
