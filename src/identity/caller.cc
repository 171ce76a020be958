#include "identity/caller.h"

namespace andromede::identity {

journal::Event event_of(const Caller& caller, std::string source, std::string name) {
  journal::Event event;
  event.source = std::move(source);
  event.name = std::move(name);
  event.account = caller.account.id.value();
  event.principal = caller.access_key_id;
  event.request_id = caller.request_id;
  event.source_address = caller.source_address;
  event.user_agent = caller.user_agent;
  return event;
}

}  // namespace andromede::identity
