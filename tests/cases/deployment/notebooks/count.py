# Databricks notebook source
dbutils.jobs.taskValues.set("rows", 1)
