// The embedded engine does what every metadata engine does.
#include "meta/rocksdb/test_cloud.h"
#include "meta/test_conformance.h"

namespace andromede::meta {
namespace {

class RocksEngine final : public EngineUnderTest {
 public:
  RocksEngine() {
    cloud_.options.log_segment_bytes = 8 << 20;  // so that a commit may be as large as every engine takes it
    const Status opened = cloud_.open();
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().describe());
  }
  Store& store() override { return cloud_.store(); }
  const Clock& clock() override { return *cloud_.clock; }
  int sequences() override { return 200; }

 private:
  TestCloud cloud_;
};

INSTANTIATE_TEST_SUITE_P(AnEngine, Conformance,
                         testing::Values(Engine{"rocksdb", [] { return std::make_unique<RocksEngine>(); }}),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace andromede::meta
