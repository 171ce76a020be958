// What an operation gets of whoever asks for it: who that is and what the request is known by; and the journal event
// that names them. A service takes the context by reference: whoever calls it outlives the call.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>

#include "identity/account.h"
#include "journal/journal.h"

namespace andromede::identity {

enum class PrincipalKind : std::uint8_t {
  kAnonymous,
  kAccountRoot,  // an account itself, by any of its access keys
  kOperator,     // of the cloud, by a token; or who acts as one where no request can come
};

struct Principal {
  PrincipalKind kind = PrincipalKind::kAnonymous;
  Account account = {};  // that it belongs to; an operator belongs to none
  std::string id =
      {};  // by which it was authenticated, and as the journal names it: an access key's id, an operator's name
};
// As policies name it: "arn:aws:iam::123456789012:root", "arn:andromede:iam:::operator/claire".
std::string arn_of(const Principal& principal);

// Who is let in where: tenants' principals are nothing on the operators' listener, and the reverse.
enum class Listener : std::uint8_t { kTenants, kOperators };

struct Context {
  Principal principal = {};
  std::string_view action = {};  // what is asked for: "s3:GetObject" (of the operation's row, which is static)
  Listener listener = Listener::kTenants;
  std::string request_id = {};      // empty: no request, as for `init`
  std::string source_address = {};  // as text
  std::string peer = {};            // for whom what it holds is counted (net::RequestHead::peer)
  std::string user_agent = {};
  // Asks to stop once nobody waits for the answer any more: what has changed nothing yet fails by itself (kCancelled).
  std::stop_token stop = {};
};

// Of an operator, or of who acts as one, without a request.
Context operator_context(std::string name);

// An Event of `name` ("PutObject") at `source` ("s3.andromede") with the fields of who asks filled in.
journal::Event event_of(const Context& context, std::string source, std::string name);

}  // namespace andromede::identity
