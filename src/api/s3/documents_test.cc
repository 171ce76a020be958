#include "api/s3/documents.h"

#include <gtest/gtest.h>

#include "api/s3/errors.h"
#include "api/s3/large_documents.h"

namespace andromede::api::s3 {
namespace {

template <typename T>
std::string code_of(const Result<T>& answer) {
  return answer ? "" : std::string(wire_error(answer.error()).code);
}

TEST(DocumentsTest, Delete) {
  const auto document = parse_delete(
      "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet><Object><Key> a&amp;b </Key>"
      "<VersionId>null</VersionId><ETag>\"e\"</ETag><Size>5</Size>"
      "<LastModifiedTime>Sun, 06 Nov 1994 08:49:37 "
      "GMT</LastModifiedTime></Object><Object><Key>c</Key></Object></Delete>");
  ASSERT_TRUE(document);
  EXPECT_TRUE(document->quiet);
  ASSERT_EQ(document->items.size(), 2u);
  const objects::DeleteItem& first = document->items[0];
  EXPECT_EQ(first.key, " a&b ");
  EXPECT_EQ(first.version_id, "null");
  EXPECT_EQ(first.conditions.if_match, "\"e\"");
  EXPECT_EQ(first.if_size_bytes, 5u);
  EXPECT_EQ(first.if_modified, Timestamp{784111777000});
  EXPECT_FALSE(document->items[1].if_size_bytes);
}

TEST(DocumentsTest, DeleteRefusals) {
  for (const char* text :
       {"", "x", "<Delete/>", "<Remove><Object><Key>a</Key></Object></Remove>", "<Delete><Object/></Delete>",
        "<Delete><Object><Key>a</Key></Object>", "<!DOCTYPE a><Delete><Object><Key>a</Key></Object></Delete>"}) {
    EXPECT_EQ(code_of(parse_delete(text)), "MalformedXML") << text;
  }
  EXPECT_EQ(code_of(parse_delete("<Delete><Object><Key>a</Key><Size>x</Size></Object></Delete>")), "InvalidArgument");
  EXPECT_EQ(
      code_of(parse_delete("<Delete><Object><Key>a</Key><LastModifiedTime>x</LastModifiedTime></Object></Delete>")),
      "InvalidArgument");
}

TEST(DocumentsTest, Complete) {
  const auto parts = parse_complete(
      "<CompleteMultipartUpload><Part><ETag>&quot;e&quot;</ETag><PartNumber>2</PartNumber>"
      "<ChecksumCRC32>DUoRhQ==</ChecksumCRC32></Part><Part><PartNumber>1</PartNumber><ETag>f</ETag></Part>"
      "</CompleteMultipartUpload>");
  ASSERT_TRUE(parts);
  ASSERT_EQ(parts->size(), 2u);
  EXPECT_EQ((*parts)[0].number, 2u);
  EXPECT_EQ((*parts)[0].etag, "e");
  EXPECT_EQ((*parts)[0].checksum.kind, crypto::Checksum::kCrc32);
  EXPECT_EQ((*parts)[1].etag, "f");
  EXPECT_EQ((*parts)[1].checksum.kind, crypto::Checksum::kNone);
}

TEST(DocumentsTest, CompleteRefusals) {
  for (const char* number : {"-1", "0"}) {
    EXPECT_EQ(code_of(parse_complete("<CompleteMultipartUpload><Part><PartNumber>" + std::string(number) +
                                     "</PartNumber><ETag>e</ETag></Part></CompleteMultipartUpload>")),
              "InvalidArgument");
  }
  for (const char* part : {"<Part/>", "<Part><PartNumber>1</PartNumber></Part>", "<Part><ETag>e</ETag></Part>",
                           "<Part><PartNumber>1x</PartNumber><ETag>e</ETag></Part>",
                           "<Part><PartNumber>1</PartNumber><ETag>\"\"</ETag></Part>", ""}) {
    EXPECT_EQ(code_of(parse_complete("<CompleteMultipartUpload>" + std::string(part) + "</CompleteMultipartUpload>")),
              "MalformedXML")
        << part;
  }
  EXPECT_EQ(code_of(parse_complete("<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>e</ETag>"
                                   "<ChecksumSHA1>short</ChecksumSHA1></Part></CompleteMultipartUpload>")),
            "InvalidPart");
}

TEST(DocumentsTest, TenThousandPartsFitAndOneMoreDoesNot) {
  const auto document = [](unsigned count) {
    std::string text = "<CompleteMultipartUpload>";
    for (unsigned i = 1; i <= count; ++i) {
      text += "<Part>\n  <PartNumber>" + std::to_string(i) + "</PartNumber>\n  <ETag>&quot;" + std::string(32, 'e') +
              "&quot;</ETag>\n  <ChecksumSHA256>" + std::string(43, 'A') + "=</ChecksumSHA256>\n</Part>\n";
    }
    return text + "</CompleteMultipartUpload>";
  };
  const auto most = parse_complete(document(objects::kMaxParts));
  ASSERT_TRUE(most) << most.error().describe();
  EXPECT_EQ(most->size(), objects::kMaxParts);
  EXPECT_EQ(code_of(parse_complete(document(objects::kMaxParts + 1))), "MalformedXML");
}

TEST(DocumentsTest, BucketConfiguration) {
  EXPECT_EQ(parse_bucket_configuration("").value(), "");
  EXPECT_EQ(parse_bucket_configuration("<CreateBucketConfiguration/>").value(), "");
  EXPECT_EQ(parse_bucket_configuration("<CreateBucketConfiguration><LocationConstraint>r</LocationConstraint>"
                                       "</CreateBucketConfiguration>")
                .value(),
            "r");
  EXPECT_EQ(code_of(parse_bucket_configuration("<a/>")), "MalformedXML");
  EXPECT_EQ(code_of(parse_bucket_configuration("<CreateBucketConfiguration><Tags/></CreateBucketConfiguration>")),
            "NotImplemented");
}

TEST(DocumentsTest, OwnerPolicies) {
  const auto policy = [](const std::string& grants) {
    return "<AccessControlPolicy><Owner><ID>me</ID></Owner><AccessControlList>" + grants +
           "</AccessControlList></AccessControlPolicy>";
  };
  const auto grant = [](const std::string& id, const std::string& permission) {
    return "<Grant><Grantee><ID>" + id + "</ID></Grantee><Permission>" + permission + "</Permission></Grant>";
  };
  EXPECT_TRUE(is_owner_policy(policy(grant("me", "FULL_CONTROL")), "me").value());
  EXPECT_FALSE(is_owner_policy(policy(grant("me", "READ")), "me").value());
  EXPECT_FALSE(is_owner_policy(policy(grant("you", "FULL_CONTROL")), "me").value());
  EXPECT_FALSE(is_owner_policy(policy(grant("me", "FULL_CONTROL") + grant("you", "READ")), "me").value());
  EXPECT_FALSE(is_owner_policy(policy(""), "me").value());
  for (const std::string& bad : {std::string("<AccessControlPolicy/>"), std::string("x"), policy("<Grant/>")}) {
    EXPECT_EQ(code_of(is_owner_policy(bad, "me")), "MalformedXML") << bad;
  }
}

TEST(LargeDocumentsTest, AreSoManyOfAnAccountAtOnce) {
  LargeDocuments documents;
  std::vector<LargeDocuments::Entry> entries;
  for (std::size_t i = 0; i < kLargeDocumentsOfAccount; ++i) {
    auto entry = documents.begin(AccountId("000000000001"));
    ASSERT_TRUE(entry);
    entries.push_back(std::move(*entry));
  }
  EXPECT_EQ(documents.begin(AccountId("000000000001")).error(), Errc::kOverloaded);
  EXPECT_TRUE(documents.begin(AccountId("000000000002")));
  entries.pop_back();
  EXPECT_TRUE(documents.begin(AccountId("000000000001")));
}

}  // namespace
}  // namespace andromede::api::s3
