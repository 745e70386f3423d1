# rpc-services
