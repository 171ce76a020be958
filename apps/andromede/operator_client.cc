#include "operator_client.h"

#include <algorithm>

#include "cloud_folder.h"
#include "codec/json.h"
#include "messages.h"

namespace andromede::app {
namespace {

constexpr std::chrono::milliseconds kTimeout{600'000};  // verifying a long journal takes its time
constexpr codec::JsonLimits kAnswerLimits{64 << 20, 32, 10'000'000};

struct Word {
  const char* word;
  Errc code;
};
constexpr Word kWords[] = {{"invalid_argument", Errc::kInvalidArgument},
                           {"not_found", Errc::kNotFound},
                           {"already_exists", Errc::kAlreadyExists},
                           {"conflict", Errc::kConflict},
                           {"refused", Errc::kRefused},
                           {"no_space", Errc::kNoSpace},
                           {"timeout", Errc::kTimeout},
                           {"overloaded", Errc::kOverloaded},
                           {"unavailable", Errc::kUnavailable},
                           {"unauthorised", Errc::kRefused},
                           {"corrupt", Errc::kCorrupt}};

Error error_of(const nlohmann::json& answer, unsigned status) {
  const std::string word = answer.value("code", "");
  const std::string message = answer.value("message", "the server answered with status " + std::to_string(status));
  for (const Word& known : kWords) {
    if (word == known.word) return {make_error_code(known.code), message};
  }
  return {make_error_code(Errc::kInternal), message};
}

// What a header cannot carry would look as if nobody answered.
bool may_be_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace

Result<OperatorClient> OperatorClient::make(const Config& config, const std::string& token_file) {
  auto token = read_secret_file(token_file);
  const bool unreadable = !token && (token.error() == Errc::kNotFound || token.error() == Errc::kIo);
  if (unreadable) {
    return tl::unexpected<Error>(Error(token.error().code(), text(Msg::kNoToken, {token.error().message()})));
  }
  if (!token) return fail(token.error());
  while (!token->empty() && (token->back() == '\n' || token->back() == '\r')) token->pop_back();
  if (!may_be_token(*token)) return fail(Errc::kInvalidArgument, text(Msg::kNotAToken, {token_file}));
  return OperatorClient(config, std::move(*token));
}

Result<nlohmann::json> OperatorClient::request(const char* method, const std::string& target, const std::string& body) {
  if (!client_) {
    TRY(client_, net::Client::make(config_.operators.address, config_.operators.port, "", kTimeout));
  }
  net::Headers headers;
  headers.add("Authorization", "Bearer " + token_);
  if (!body.empty()) headers.add("Content-Type", "application/json");
  auto response = client_->request(method, target, std::move(headers), body);
  // Whatever became of the connection: nobody answered. What the server itself answers has its own code.
  if (!response) return fail(Errc::kIo, response.error().message());
  auto answer = codec::parse_json(response->body, kAnswerLimits);
  if (!answer) {
    return fail(Errc::kInternal, "status " + std::to_string(response->status) + " and no JSON: is another program at " +
                                     config_.operators.to_string() + "?");
  }
  if (response->status >= 300) return fail(error_of(*answer, response->status));
  return answer;
}

Result<nlohmann::json> OperatorClient::get(const std::string& target) { return request("GET", target, ""); }

Result<nlohmann::json> OperatorClient::post(const std::string& target, const nlohmann::json& body) {
  return request("POST", target, body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

Result<nlohmann::json> OperatorClient::put(const std::string& target, const nlohmann::json& body) {
  return request("PUT", target, body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

Result<nlohmann::json> OperatorClient::remove(const std::string& target) { return request("DELETE", target, ""); }

}  // namespace andromede::app
