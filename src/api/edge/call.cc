#include "api/edge/call.h"

#include <utility>

namespace andromede::api::edge {

std::string_view cut(std::string_view text, std::size_t limit) noexcept {
  if (text.size() <= limit) return text;
  const auto continues = [text](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U; };
  std::size_t end = limit;
  while (end > 0 && limit - end < 3 && continues(end)) --end;
  return text.substr(0, end);
}

Call::Call(net::Exchange& exchange, identity::Listener listener, std::string id) : exchange_(exchange) {
  context_.listener = listener;
  context_.request_id = std::move(id);
}

void Call::admit(identity::Principal who) {
  const net::RequestHead& head = received_head();
  context_.principal = std::move(who);
  context_.action = operation().action;
  context_.source_address = head.peer_address;
  context_.peer = head.peer;
  context_.user_agent = head.headers.find("user-agent").value_or("");
  context_.stop = exchange_.stop_token();
  const bool of_an_account = context_.principal.kind == identity::PrincipalKind::kAccountRoot;
  exchange_.admit(of_an_account ? context_.principal.account.id.value() : context_.principal.id);
}

}  // namespace andromede::api::edge
