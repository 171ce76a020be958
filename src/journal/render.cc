#include "base/log.h"
#include "journal/journal.h"

namespace andromede::journal {
namespace {

// At most `limit` bytes of `text`, not ending inside a character.
std::string_view cut(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80) --limit;
  return text.substr(0, limit);
}

class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_ += '{'; }
  void field(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    this->name(name);
    append_json_string(out_, value);
  }
  void name(std::string_view name) {
    if (!first_) out_ += ',';
    first_ = false;
    append_json_string(out_, name);
    out_ += ':';
  }
  void end() { out_ += '}'; }

 private:
  std::string& out_;
  bool first_ = true;
};

void append_identity(std::string& out, const Event& event) {
  ObjectWriter identity(out);
  if (event.account.empty()) {
    identity.field("type", "Operator");
    identity.field("userName", cut(event.principal, kMaxParameterBytes));
  } else {
    identity.field("type", "Root");
    identity.field("accountId", cut(event.account, kMaxNameBytes));
    identity.field("accessKeyId", cut(event.principal, kMaxParameterBytes));
  }
  identity.end();
}

// Empty values are kept here: that a parameter was given empty is part of what was asked.
void append_parameters(std::string& out, const Event& event) {
  ObjectWriter parameters(out);
  std::size_t count = 0;
  for (const auto& [name, value] : event.parameters) {
    if (++count > kMaxParameters) break;
    parameters.name(cut(name, kMaxNameBytes));
    append_json_string(out, cut(value, kMaxParameterBytes));
  }
  parameters.end();
}

// A byte becomes six at most (a control character, as \u0001): the longest event that the limits allow fits.
constexpr std::size_t kMaxEscapedBytes = 6;
static_assert(kMaxEscapedBytes * (kMaxParameters * (kMaxNameBytes + kMaxParameterBytes) + kMaxUserAgentBytes +
                                  3 * kMaxParameterBytes + 4 * kMaxNameBytes) +
                  4096 <=
              kMaxEventBytes);

constexpr std::size_t kUsualEventBytes = 640;

}  // namespace

std::string render(const Event& event, Timestamp time) {
  std::string out;
  out.reserve(kUsualEventBytes);
  ObjectWriter record(out);
  record.field("eventVersion", "1.08");
  record.name("userIdentity");
  append_identity(out, event);
  record.field("eventTime", to_iso8601(time));
  record.field("eventSource", cut(event.source, kMaxNameBytes));
  record.field("eventName", cut(event.name, kMaxNameBytes));
  record.field("sourceIPAddress", cut(event.source_address, kMaxParameterBytes));
  record.field("userAgent", cut(event.user_agent, kMaxUserAgentBytes));
  if (!event.parameters.empty()) {
    record.name("requestParameters");
    append_parameters(out, event);
  }
  record.field("requestID", cut(event.request_id, kMaxParameterBytes));
  record.field("eventType", "AwsApiCall");
  record.field("recipientAccountId", cut(event.account, kMaxNameBytes));
  record.end();
  return out;
}

}  // namespace andromede::journal
