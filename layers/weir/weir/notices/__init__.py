"""Notices: what people and programs are told of alerts, once for each transition.

`notice` makes them of an alert's history, `message` puts them into words and JSON, `pace` holds
them when there are many, `teller` sends them through the channels of `ports`, `hooks` signs what
is posted to a webhook.
"""
