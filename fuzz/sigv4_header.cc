// The Authorization header and the headers beside it: no crash; nothing unsigned gets in; what is refused says why in
// the module's own codes.
#include <string>

#include "api/sigv4/authenticator.h"
#include "base/check.h"

namespace {

using namespace andromede;
using namespace andromede::api::sigv4;

constexpr Timestamp kNow{1369353600000};  // of the seeds

Authenticator& authenticator() {
  static const ManualClock clock(kNow);
  static Authenticator instance(
      [](std::string_view id) -> std::shared_ptr<const identity::Credential> {
        static const auto known = std::make_shared<identity::Credential>(identity::Credential{
            "AKIAIOSFODNN7EXAMPLE", crypto::SecretText("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), {}});
        return id == known->access_key_id ? known : nullptr;
      },
      clock, Options{});
  return instance;
}

// The input: the target in its first line, then "name: value" lines.
net::RequestHead head_of(std::string_view input) {
  net::RequestHead head;
  head.method = "GET";
  const std::size_t end = std::min(input.find('\n'), input.size());
  head.target = input.substr(0, end);
  input.remove_prefix(std::min(end + 1, input.size()));
  while (!input.empty()) {
    const std::size_t line_end = std::min(input.find('\n'), input.size());
    const std::string_view line = input.substr(0, line_end);
    input.remove_prefix(std::min(line_end + 1, input.size()));
    const std::size_t colon = std::min(line.find(": "), line.size());
    head.headers.add(std::string(line.substr(0, colon)), std::string(line.substr(std::min(colon + 2, line.size()))));
  }
  return head;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const net::RequestHead head = head_of(as_text({data, size}));
  const std::string_view target = head.target;
  const std::size_t question = std::min(target.find('?'), target.size());
  const auto query = net::Query::parse(target.substr(std::min(question + 1, target.size())));
  if (!query) return 0;
  RefusalFields fields;
  const auto answer = authenticator().authenticate(head, target.substr(0, question), *query, fields);
  if (answer) {
    CHECK(answer->credential != nullptr, "who signed is known");
    CHECK(answer->seed_signature.size() == 64, "a signature was checked");
    CHECK(answer->presigned || head.headers.find("authorization"), "a signature was there");
  } else {
    CHECK(answer.error().code().category() == sig_category(), "refusals are this module's");
    std::size_t told = answer.error().message().size();
    for (const auto& [name, value] : fields) {
      told += value.size();
      CHECK(value.find("wJalrXUtnFEMI") == std::string::npos ||
                head.target.find("wJalrXUtnFEMI") != std::string::npos ||
                as_text({data, size}).find("wJalrXUtnFEMI") != std::string_view::npos,
            "a refusal never tells the secret");
    }
    CHECK(told <= 4 * size + 1024, "a refusal is no longer than a small multiple of the request");
  }
  return 0;
}
