#include "identity/context.h"

#include <utility>

namespace andromede::identity {

std::string arn_of(const Principal& principal) {
  switch (principal.kind) {
    case PrincipalKind::kAccountRoot:
      return "arn:aws:iam::" + principal.account.id.value() + ":root";
    case PrincipalKind::kOperator:
      return "arn:andromede:iam:::operator/" + principal.id;
    case PrincipalKind::kAnonymous:
      break;
  }
  return "*";
}

Context operator_context(std::string name) {
  Context context;
  context.principal = {PrincipalKind::kOperator, {}, std::move(name)};
  context.listener = Listener::kOperators;
  return context;
}

journal::Event event_of(const Context& context, std::string source, std::string name) {
  journal::Event event;
  event.source = std::move(source);
  event.name = std::move(name);
  event.account = context.principal.account.id.value();
  event.principal = context.principal.id;
  event.request_id = context.request_id;
  event.source_address = context.source_address;
  event.user_agent = context.user_agent;
  return event;
}

}  // namespace andromede::identity
