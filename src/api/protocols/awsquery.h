// awsQuery, the protocol of IAM and STS: a form in, XML out (Smithy, "AWS Query protocol"; "Making query requests", AWS
// IAM user guide). Held to Smithy's protocol tests by awsquery_test.cc. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/protocols/reader.h"
#include "api/protocols/scalars.h"
#include "api/protocols/shape.h"
#include "api/protocols/xml_shapes.h"
#include "base/result.h"
#include "codec/xml.h"
#include "net/query.h"

namespace andromede::api::protocols {

inline constexpr std::size_t kMaxFormParameters = 2000;

// The parameters of a request, in the order of their names.
class FormNode : public TextScalars<FormNode> {
 public:
  FormNode(const std::vector<net::Parameter>& sorted, std::string path) : sorted_(&sorted), path_(std::move(path)) {}

  [[nodiscard]] bool present() const;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] Status structure() const;
  [[nodiscard]] FormNode member(std::string_view name) const;
  [[nodiscard]] Result<std::vector<FormNode>> items(const Form& form) const;
  [[nodiscard]] Result<std::vector<std::pair<std::string, FormNode>>> entries(const Form& form) const;
  [[nodiscard]] Result<std::string> text() const;

 private:
  // What stands under this node, flattened or as `wrapper`: "N", in the order of N.
  [[nodiscard]] Result<std::vector<FormNode>> numbered(bool flattened, std::string_view wrapper) const;

  const std::vector<net::Parameter>* sorted_;
  std::string path_;
};

struct QueryRequest {
  std::string action;
  std::string version;
  std::vector<net::Parameter> parameters;  // the others, in the order of their names
};

// The form that a POST's body, or a GET's query, is. ShapeErrc::kMalformed: it cannot be read, or has a parameter
// twice; kMissing: Action or Version.
Result<QueryRequest> parse_awsquery(std::string_view form);

// What the operation takes. ShapeErrc.
template <Shape T>
Result<T> read_awsquery(const QueryRequest& request) {
  return read_shape<T>(FormNode(request.parameters, ""));
}

// `xmlns`: of the service: "https://iam.amazonaws.com/doc/2010-05-08/".
template <Shape T>
std::string render_awsquery(std::string_view action, std::string_view xmlns, std::string_view request_id,
                            const T& result) {
  codec::XmlWriter out;
  out.open(std::string(action) + "Response", xmlns);
  write_xml(out, std::string(action) + "Result", result);
  out.open("ResponseMetadata");
  out.element("RequestId", request_id);
  return out.take();
}
// Of an operation that gives nothing.
std::string render_awsquery(std::string_view action, std::string_view xmlns, std::string_view request_id);

// `code`: "NoSuchEntity". `ours`: the client is not to blame.
std::string render_awsquery_error(std::string_view xmlns, std::string_view request_id, std::string_view code,
                                  std::string_view message, bool ours);

}  // namespace andromede::api::protocols
