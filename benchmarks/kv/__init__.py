"""The key-value service beside etcd and PySyncObj, in one run, on one machine."""
