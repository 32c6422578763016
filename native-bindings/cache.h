// A bounded LRU cache that all threads may use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace vdisk {

struct CacheKey {
  uint64_t node;
  uint64_t part;
  bool operator==(const CacheKey&) const = default;

  struct Hash {
    size_t operator()(const CacheKey& key) const { return key.node * 0x9e3779b97f4a7c15u ^ key.part; }
  };
};

template <typename Value>
class Cache {
 public:
  using Pointer = std::shared_ptr<const Value>;

  // `limit`: the most that the costs of all entries may add up to, in whatever unit `put` gets them.
  explicit Cache(size_t limit) : limit_(limit) {}

  void put(const CacheKey& key, Pointer value, size_t cost) {
    const std::lock_guard lock(mutex_);
    if (const auto found = places_.find(key); found != places_.end()) drop(found->second);
    cost_ += cost;
    entries_.push_front({key, std::move(value), cost});
    places_[key] = entries_.begin();
    while (cost_ > limit_ && !entries_.empty()) drop(std::prev(entries_.end()));
  }

  Pointer find(const CacheKey& key) {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->value;
  }

  // Removes all values.
  void clear() {
    const std::lock_guard lock(mutex_);
    places_.clear();
    entries_.clear();
    cost_ = 0;
  }

  // Removes the value and returns it.
  Pointer take(const CacheKey& key) {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    const Pointer value = found->second->value;
    drop(found->second);
    return value;
  }

 private:
  struct Entry {
    CacheKey key;
    Pointer value;
    size_t cost;
  };

  void drop(typename std::list<Entry>::iterator entry) {
    cost_ -= entry->cost;
    places_.erase(entry->key);
    entries_.erase(entry);
  }

  std::mutex mutex_;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<CacheKey, typename std::list<Entry>::iterator, CacheKey::Hash> places_;
  size_t cost_ = 0;
  const size_t limit_;
};

}  // namespace vdisk
