// What the commands share: finding the configuration, reaching the server, saying what went wrong, waiting for a job.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "commands.h"
#include "operator_client.h"

namespace andromede::app {

// The configuration that --config, the environment or the usual places name.
Result<Config> find_config(const CommonOptions& common);
// A client for the configured server.
Result<OperatorClient> connect(const CommonOptions& common);

// Prints the error; the exit code that stands for it.
int report(const Error& error);
// The same for what went wrong before there was a server to ask: exit code 2.
int report_usage(const Error& error);
// The same for an answer of the server, or its silence.
int report_answer(const Error& error, const Config& config);

void print(const std::string& line);
void print_json(const nlohmann::json& value);
// What an answer says under `key`; `otherwise` where it does not, as of a server that is older.
nlohmann::json part_of(const nlohmann::json& answer, const char* key,
                       const nlohmann::json& otherwise = nlohmann::json::array());

// Waits until the job has ended, drawing its progress; a server that restarts meanwhile is waited for, and a drain
// found again. Prints the outcome; the exit code.
int wait_for_job(OperatorClient& client, const nlohmann::json& job, bool json);

}  // namespace andromede::app
