#include "blob/test_store_conformance.h"
#include "objects/test_pool_store.h"

namespace andromede::blob {
namespace {

class Pools final : public StoreUnderTest {
 public:
  Store& store() override { return pools_; }
  bool is_empty() override { return pools_.count() == 0; }

 private:
  objects::PoolStore pools_;
};

INSTANTIATE_TEST_SUITE_P(Pools, StoreConformance,
                         testing::Values(EngineUnderTest{[] { return std::make_unique<Pools>(); },
                                                         PolicyId("standard")}));

}  // namespace
}  // namespace andromede::blob
