#include "identity/operator_caller.h"

namespace andromede::identity {

journal::Event event_of(const OperatorCaller& by, std::string source, std::string name) {
  journal::Event event;
  event.source = std::move(source);
  event.name = std::move(name);
  event.principal = by.name;
  event.request_id = by.request_id;
  event.source_address = by.source_address;
  return event;
}

}  // namespace andromede::identity
