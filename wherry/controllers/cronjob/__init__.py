"""CronJob: a Job at each time of a schedule.

`plan` decides whether one is to be started now and when to look again, `history` which ended ones go, `jobs`
makes them; `controller` acts. Rules: pkg/controller/cronjob.
"""
